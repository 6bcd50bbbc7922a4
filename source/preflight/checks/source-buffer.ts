// How far a replica may fall behind before the source cuts it off. For information: redferry keeps reading whatever the
// target does, until its own limits are used up.
import { configValue, ok } from '../answers.ts';
import type { Check } from '../check.ts';
import { bytesText, QUESTIONS, SOURCE_BUFFER } from '../sentences.ts';

export const sourceBuffer: Check = {
  id: 'source-buffer',
  question: QUESTIONS['source-buffer'],
  async run({ source }) {
    const read = await Promise.all(
      source.nodes.map(({ connection }) => configValue(connection, 'client-output-buffer-limit')),
    );
    const limits = new Set(read.filter((value) => value !== null).map(describeLimit));
    return ok(limits.size === 0 ? SOURCE_BUFFER.unknown : SOURCE_BUFFER.found([...limits].join('; ')));
  },
};

/** `normal 0 0 0 slave 268435456 67108864 60 pubsub ...`; newer servers may say replica. */
function describeLimit(value: string): string {
  const match = /(?:slave|replica) (\d+) (\d+) (\d+)/.exec(value);
  const [hard, soft, seconds] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)];
  const size = (bytes: number): string => (bytes === 0 ? SOURCE_BUFFER.unlimited : bytesText(bytes));
  return hard === 0 && soft === 0 ? SOURCE_BUFFER.unlimited : SOURCE_BUFFER.one(size(hard), size(soft), seconds);
}
