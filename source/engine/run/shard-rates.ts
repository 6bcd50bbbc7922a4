// How fast a shard goes, counted once a second from what its samples have counted, with a history that a screen can draw.
import type { ShardSnapshot } from '../contract/shard-snapshot.ts';
import { steadyMs } from '../steady-clock.ts';
import type { ShardSample } from './shard-job.ts';

const HISTORY_SECONDS = 300;
/** The weight of the last second in the rate of the snapshot, which is to tell when it will be through. */
const LAST_SECOND = 0.2;

type Counted = Pick<ShardSample, 'keysDone' | 'commands' | 'bytesReceived' | 'movedBytes' | 'snapshotBytesDone'>;

const NOTHING: Counted = { keysDone: 0, commands: 0, bytesReceived: 0, movedBytes: 0, snapshotBytesDone: 0 };

export class ShardRates {
  /** Keys and commands. */
  operations = 0;
  /** Received from the source. */
  bytes = 0;
  /** Taken by the pipeline, as the throttle counts. */
  moved = 0;
  /** Of the snapshot, over the last seconds. */
  snapshotBytes = 0;
  #before = NOTHING;
  #countedAtMs = steadyMs();
  #operationsHistory: readonly number[] = [];
  #lagHistory: readonly number[] = [];

  get history(): ShardSnapshot['history'] {
    return { opsPerSecond: this.#operationsHistory, lagBytes: this.#lagHistory };
  }

  /** A second is over. @param lagBytes null where there is no stream. @param nowMs by steadyMs. */
  second(counted: Counted, lagBytes: number | null, nowMs: number): void {
    const before = this.#before;
    const seconds = Math.max(0.001, (nowMs - this.#countedAtMs) / 1000);
    const rate = (now: number, then: number): number => Math.max(0, Math.round((now - then) / seconds));
    this.operations = rate(counted.keysDone + counted.commands, before.keysDone + before.commands);
    this.bytes = rate(counted.bytesReceived, before.bytesReceived);
    this.moved = rate(counted.movedBytes, before.movedBytes);
    const last = (counted.snapshotBytesDone - before.snapshotBytesDone) / seconds;
    this.snapshotBytes = this.snapshotBytes === 0 ? last : this.snapshotBytes * (1 - LAST_SECOND) + last * LAST_SECOND;
    this.#before = counted;
    this.#countedAtMs = nowMs;
    this.#operationsHistory = [...this.#operationsHistory.slice(1 - HISTORY_SECONDS), this.operations];
    this.#lagHistory = [...this.#lagHistory.slice(1 - HISTORY_SECONDS), lagBytes ?? 0];
  }
}
