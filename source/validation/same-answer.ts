// One command to both sides, and whether what they answer is the same: for the parts of one key that are too big to be looked
// into without need.
import { type Command, encode } from './connection.ts';
import type { KeyPlaces } from './database-numbers.ts';
import type { LinkedSide } from './linked-side.ts';
import { ReplyTooLong } from './reply-link.ts';

const MINUS = 0x2d;

/** Whether both sides answer a command about one key with the same bytes; an error, or too much, is not the same. */
export async function sameAnswerTo(
  source: LinkedSide,
  target: LinkedSide,
  key: Buffer,
  places: KeyPlaces,
  command: Command,
): Promise<boolean> {
  const [ourDatabase, another] = places.source;
  // Which of several has the key is not known here.
  if (ourDatabase === undefined || another !== undefined) return false;
  const wire = encode([command]);
  const sides = [
    { ...source, database: ourDatabase },
    { ...target, database: places.target },
  ];
  const asked = await Promise.allSettled(
    sides.map(async ({ side, links, database }) => {
      const link = links[side.numberOf(key)];
      if (link === undefined) throw new Error('a node without a link');
      return { link, replies: await link.request([wire], 1, { database, mostBytes: MOST_WINDOW_BYTES }) };
    }),
  );
  const answered = asked.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [ours, theirs] = answered;
  const same =
    ours !== undefined &&
    theirs !== undefined &&
    ours.replies.bytes[0] !== MINUS &&
    ours.replies.end === theirs.replies.end &&
    ours.replies.bytes.compare(theirs.replies.bytes, 0, theirs.replies.end, 0, ours.replies.end) === 0;
  for (const { link, replies } of answered) link.release(replies);
  const failure = asked.find((result) => result.status === 'rejected');
  if (failure !== undefined && !(failure.reason instanceof ReplyTooLong)) throw failure.reason;
  return same;
}

/** A window is about a megabyte, by an estimate. */
const MOST_WINDOW_BYTES = 16 * 1_048_576;
