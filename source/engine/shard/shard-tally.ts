// What has come of one shard over all its attempts: counted here, and told to the main thread, single events at once and what
// may be many in bunches.

import type { Settled } from '../conflicts/conflict-entry.ts';
import { ShardConflicts } from '../conflicts/shard-conflicts.ts';
import type { FromWorker, ShardJob } from '../run/shard-job.ts';
import { Refusals } from './refusals.ts';

export class ShardTally {
  /** Of the snapshot under way, or of the last one. */
  keysDone: number;
  commands = 0;
  bytesReceived = 0;
  readonly refusals: Refusals;
  readonly conflicts: ShardConflicts;
  readonly #shard: number;
  readonly #post: (message: FromWorker) => void;
  /** Notices that are said once. */
  readonly #said = new Set<string>();

  constructor({ id, name, resume }: ShardJob, post: (message: FromWorker) => void) {
    this.#shard = id;
    this.#post = post;
    this.keysDone = resume?.keys ?? 0;
    this.refusals = new Refusals(name);
    this.conflicts = new ShardConflicts(name);
  }

  answered(keys: number, streamCommands: number): void {
    this.keysDone += keys;
    this.commands += streamCommands;
  }

  refused(database: number, args: readonly Buffer[], reason: string): void {
    this.refusals.add(database, args, reason);
  }

  settled(conflict: Settled): void {
    this.conflicts.settled(conflict);
  }

  notice(level: 'info' | 'warn' | 'error', message: string): void {
    this.#post({ type: 'notice', shard: this.#shard, level, message });
  }

  once(level: 'info' | 'warn', message: string): void {
    if (this.#said.has(message)) return;
    this.#said.add(message);
    this.notice(level, message);
  }

  /** Gives the refusals and conflicts since the last call to the main thread. */
  tell(): void {
    const refusals = this.refusals.take();
    if (refusals.length > 0) this.#post({ type: 'refusals', shard: this.#shard, refusals });
    const conflicts = this.conflicts.take();
    if (conflicts.length > 0) this.#post({ type: 'conflicts', shard: this.#shard, conflicts });
  }
}
