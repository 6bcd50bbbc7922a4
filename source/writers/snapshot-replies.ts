// What the replies to the snapshot's keys mean: conflicts, refusals, and what the target can not take now and gets again.
import { encodeCommand } from '../protocol/resp-encode.ts';
import { Batch } from './batch.ts';
import { planRetry } from './retry-plan.ts';
import { judgeReply } from './target-replies.ts';
import type { WriterOwner } from './writer-owner.ts';

/** How long to wait before what the target can not take now is sent again. */
const RETRY_MS = 1000;

/** The writer, as those see it who read its replies. */
export interface RepliesHost {
  readonly address: string;
  readonly owner: WriterOwner;
  send(batch: Batch): void;
  /** The batch is done with. */
  give(batch: Batch): void;
  append(bytes: Buffer, database: number): void;
  /** Selected before the open batch, or now when there is none. */
  openDatabase(): number;
  flush(now: boolean): void;
  end(message: string): void;
  ended(): boolean;
}

export class SnapshotReplies {
  /** Why nothing is sent at present, as part of a sentence, or null. */
  waiting: string | null = null;
  readonly #host: RepliesHost;
  /** Answered, but kept: part of what goes again. */
  #kept: Batch[] = [];
  /** Closed while the target could not take writes; they follow what goes again. */
  readonly #held: Batch[] = [];
  #retryDelayMs = 0;
  #retryTimer: NodeJS.Timeout | null = null;

  constructor(host: RepliesHost) {
    this.#host = host;
  }

  get idle(): boolean {
    return this.#kept.length === 0 && this.#held.length === 0;
  }

  /** Of the oldest batch that is kept; Infinity without one. */
  get position(): number {
    return Math.min(
      this.#kept[0]?.position ?? Number.POSITIVE_INFINITY,
      this.#held[0]?.position ?? Number.POSITIVE_INFINITY,
    );
  }

  hold(batch: Batch): void {
    this.#held.push(batch);
  }

  destroy(): void {
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
  }

  failed(batch: Batch, index: number, text: string): void {
    const { address, owner, end } = this.#host;
    const verdict = judgeReply(text);
    switch (verdict.meaning) {
      case 'conflict':
        this.conflict(batch, index);
        break;
      case 'wait':
      case 'open-slot':
        batch.again.push(index);
        this.waiting = `the target ${address} ${verdict.remedy} (${text}); trying again every second`;
        this.#retryDelayMs = RETRY_MS;
        break;
      case 'aborted':
        batch.again.push(index);
        this.waiting ??= `a transaction goes to ${address} again without the command it refused`;
        break;
      case 'moved':
      case 'fatal':
        end(`The target ${address} ${verdict.remedy} (${text}).`);
        break;
      case 'refused':
        batch.refused.push(index);
        owner.refused({ database: batch.databaseAt(index), args: batch.commandAt(index), reason: text });
        break;
    }
  }

  /** A key that is there already: the owner says what goes in its place, if anything. */
  conflict(batch: Batch, index: number): void {
    const database = batch.databaseAt(index);
    const instead = this.#host.owner.conflict(database, batch.commandAt(index));
    if (instead !== null) this.#host.append(encodeCommand(instead), database);
  }

  /** @param inFlight batches that are still unanswered. */
  answered(batch: Batch, inFlight: number): void {
    this.#kept.push(batch);
    if (this.waiting === null) {
      this.#release();
      return;
    }
    if (inFlight > 0) return;
    if (this.#kept.some((kept) => kept.again.length > 0)) {
      this.#retryTimer ??= setTimeout(() => {
        this.#retryTimer = null;
        if (!this.#host.ended()) this.#retry();
      }, this.#retryDelayMs);
      return;
    }
    this.waiting = null;
    this.#retryDelayMs = 0;
    this.#release();
    while (this.#held.length > 0) this.#host.send(this.#held.shift() as Batch);
  }

  #release(): void {
    let keys = 0;
    let streamCommands = 0;
    for (const batch of this.#kept) {
      keys += batch.keys;
      streamCommands += batch.streamCommands;
      this.#host.give(batch);
    }
    this.#kept = [];
    this.#host.owner.answered(keys, streamCommands);
  }

  /** Everything is answered: sends again what did not pass. What was held follows when that has passed. */
  #retry(): void {
    const kept = this.#kept;
    const first = kept[0];
    if (first === undefined) return;
    const plan = planRetry(kept, this.#held[0]?.database ?? this.#host.openDatabase());
    for (const { database, args } of plan.overtaken) {
      this.#host.owner.refused({
        database,
        args,
        reason: 'took effect before an earlier write to its key, which the target had put off',
      });
    }
    const batch = new Batch(plan.bytes, first.kind, first.position, 0);
    batch.length = plan.bytes.length;
    batch.commands = plan.commands;
    for (const answered of kept) {
      batch.keys += answered.keys;
      batch.streamCommands += answered.streamCommands;
      this.#host.give(answered);
    }
    this.#kept = [];
    this.#host.send(batch);
  }
}
