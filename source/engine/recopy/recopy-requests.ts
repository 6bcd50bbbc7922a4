// Keys that are to be copied again, on their way from the main thread to the shards that own them, and the answers back.
import { slotOf } from '../../protocol/slot.ts';
import type { CommandOutcome, KeyName, RecopyCounts } from '../contract/command.ts';
import type { SentKey, ToWorker } from '../run/shard-job.ts';
import type { ShardRecord } from '../run/shard-record.ts';

/** redferry's own names, which the source does not know. */
const OWN = 'redferry:';

type Answer = (counts: RecopyCounts | null) => void;

export class RecopyRequests {
  readonly #send: (message: ToWorker & { readonly shard: number }) => void;
  readonly #waiting = new Map<number, { readonly shard: number; readonly answer: Answer }>();
  #count = 0;

  constructor(send: (message: ToWorker & { readonly shard: number }) => void) {
    this.#send = send;
  }

  /** Resolves when the target has answered for all of the keys. */
  async repair(names: readonly KeyName[], records: readonly ShardRecord[]): Promise<CommandOutcome> {
    const keys = names.map(({ database, key }) => ({ database, key: Buffer.from(key, 'base64') }));
    const byShard = new Map<ShardRecord, SentKey[]>();
    for (const key of keys) {
      if (key.key.toString('latin1', 0, OWN.length) === OWN) continue;
      const owner = records.find((record) => owns(record, key.key));
      if (owner === undefined || owner.final) {
        return {
          accepted: false,
          message: 'A key belongs to no shard of this run that is at work: nothing was repaired.',
        };
      }
      const list = byShard.get(owner);
      if (list === undefined) byShard.set(owner, [key]);
      else list.push(key);
    }
    const answers = await Promise.all([...byShard].map(([record, list]) => this.#ask(record.job.id, list)));
    return outcomeOf(answers);
  }

  /**
   * Keys that the sources have deleted and the target had before the run: what a source still does not have goes from the
   * target, and what it has by now is written. Of a shard that answers they are off the list.
   */
  async removeLeftovers(records: readonly ShardRecord[]): Promise<CommandOutcome> {
    const having = records.filter(({ leftovers }) => leftovers.count > 0);
    if (having.length === 0) return { accepted: false, message: 'Nothing waits to be removed from the target.' };
    const answers = await Promise.all(having.map((record) => this.#removeOf(record)));
    return outcomeOf(answers);
  }

  async #removeOf(record: ShardRecord): Promise<RecopyCounts | null> {
    const { leftovers } = record;
    const counts = await this.#ask(record.job.id, leftovers.keys);
    const isThrough = counts !== null && counts.failed === 0 && record.leftovers === leftovers;
    if (isThrough) record.leftovers = { count: leftovers.count - leftovers.keys.length, keys: [] };
    return counts;
  }

  answered(request: number, counts: RecopyCounts | null): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    waiting?.answer(counts);
  }

  /** The shard's thread answers no more. */
  ended(shard: number): void {
    for (const [request, waiting] of this.#waiting) if (waiting.shard === shard) this.answered(request, null);
  }

  #ask(shard: number, keys: readonly SentKey[]): Promise<RecopyCounts | null> {
    return new Promise((answer) => {
      const request = ++this.#count;
      this.#waiting.set(request, { shard, answer });
      this.#send({ type: 'recopy', shard, request, keys });
    });
  }
}

function owns(record: ShardRecord, key: Buffer): boolean {
  const { origin } = record.job;
  if (origin.kind === 'file' || origin.nodeId === null) return true;
  const slot = slotOf(key, 0, key.length);
  return record.slots.some(({ first, last }) => first <= slot && slot <= last);
}

function outcomeOf(answers: readonly (RecopyCounts | null)[]): CommandOutcome {
  if (answers.length > 0 && answers.every((answer) => answer === null)) {
    return { accepted: false, message: 'Keys can be repaired while the shards stream, and from a server only.' };
  }
  const counts = { rewritten: 0, removed: 0, failed: 0 };
  for (const answer of answers) {
    counts.rewritten += answer?.rewritten ?? 0;
    counts.removed += answer?.removed ?? 0;
    counts.failed += answer?.failed ?? 0;
  }
  const parts = [`${counts.rewritten} keys were written anew from the source`];
  if (counts.removed > 0) parts.push(`${counts.removed} that the source does not have were removed`);
  if (counts.failed > 0) parts.push(`${counts.failed} could not be (the log file says why)`);
  if (answers.includes(null)) parts.push('a shard that does not stream was left out');
  return { accepted: true, message: `Repaired: ${parts.join(', ')}.`, recopied: counts };
}
