// How long a shard can be held back at the present write rate: first until its queue is full, then until the source gives
// its link up, which costs another full sync. Pure but for its own smoothed rates.
import type { PauseBudget } from '../contract/shard-snapshot.ts';

/** client-output-buffer-limit of the class for replicas: bytes and seconds, 0 for no limit. */
export interface ReplicaBufferLimits {
  readonly hardBytes: number;
  readonly softBytes: number;
  readonly softSeconds: number;
}

export interface BudgetFacts {
  /** Bytes that wait, of these that may. */
  readonly queued: number;
  readonly room: number;
  readonly bytesReceived: number;
  /** Replication offsets: what the source has written, what came here; null before the stream. */
  readonly written: number | null;
  readonly received: number | null;
  /** null where the source does not tell. */
  readonly limits: ReplicaBufferLimits | null;
}

/** How far the rates follow each second. */
const FOLLOW = 0.2;
/** A queue is as good as full here: what is on its way into it does not stop at the byte. */
const FULL_SHARE = 0.97;

/** Of a shard that nobody holds back: from here on its queue is worth a countdown. */
const UNHELD_SHARE = 0.25;

/**
 * Whether there is anything to count down to. What the target takes more slowly than it comes, a snapshot for a while, is
 * nothing yet. @param held somebody has paused or slowed the shard.
 */
export function countsDown({ queued, room }: Pick<BudgetFacts, 'queued' | 'room'>, held: boolean): boolean {
  return held || queued >= room * UNHELD_SHARE;
}

interface Second {
  readonly atMs: number;
  readonly bytesReceived: number;
  readonly written: number | null;
}

export class BudgetClock {
  #last: Second | null = null;
  #receivedRate: number | null = null;
  #writtenRate: number | null = null;

  /** Once a second. @param nowMs milliseconds that never go back. */
  second({ bytesReceived, written }: BudgetFacts, nowMs: number): void {
    const before = this.#last;
    this.#last = { atMs: nowMs, bytesReceived, written };
    if (before === null || nowMs <= before.atMs) return;
    const seconds = (nowMs - before.atMs) / 1000;
    this.#receivedRate = followed(this.#receivedRate, (bytesReceived - before.bytesReceived) / seconds);
    if (written !== null && before.written !== null)
      this.#writtenRate = followed(this.#writtenRate, (written - before.written) / seconds);
  }

  /** What is left. A second that is null does not come at the present rate, or is not known. */
  budget({ queued, room, written, received, limits }: BudgetFacts): PauseBudget {
    // A full queue receives nothing: then only the source's own offset tells what goes on.
    const rate = Math.max(this.#receivedRate ?? 0, this.#writtenRate ?? 0);
    const isFull = queued >= room * FULL_SHARE;
    const toFull = isFull ? 0 : rate < 1 ? null : (room - queued) / rate;
    const unsent = Math.max(0, (written ?? 0) - (received ?? written ?? 0));
    const inSource = limits === null ? null : secondsInSource(limits, isFull ? unsent : 0, this.#writtenRate ?? rate);
    return {
      isFull,
      secondsToFull: rounded(toFull),
      secondsToFullSync: rounded(toFull === null || inSource === null ? null : toFull + inSource),
    };
  }
}

/** Until the source closes the link, from what it holds for us already. */
function secondsInSource({ hardBytes, softBytes, softSeconds }: ReplicaBufferLimits, unsent: number, rate: number) {
  const until = (limit: number): number | null => {
    if (limit <= 0) return null;
    if (unsent >= limit) return 0;
    return rate < 1 ? null : (limit - unsent) / rate;
  };
  const toSoft = until(softBytes);
  const ends = [until(hardBytes), toSoft === null ? null : toSoft + softSeconds].filter((seconds) => seconds !== null);
  return ends.length === 0 ? null : Math.min(...ends);
}

function followed(mean: number | null, value: number): number {
  const now = Math.max(0, value);
  return mean === null ? now : mean + (now - mean) * FOLLOW;
}

/** Coarse while there is time: a countdown is looked at when there is little. */
function rounded(seconds: number | null): number | null {
  if (seconds === null) return null;
  if (seconds < 120) return Math.round(seconds);
  return seconds < 3600 ? Math.round(seconds / 10) * 10 : Math.round(seconds / 60) * 60;
}

/** Of CONFIG GET client-output-buffer-limit; the class for replicas was called slave. null when it is not in there. */
export function parseBufferLimits(text: string): ReplicaBufferLimits | null {
  const [, hard, soft, seconds] = /(?:slave|replica) (\d+) (\d+) (\d+)/.exec(text) ?? [];
  if (seconds === undefined) return null;
  return { hardBytes: Number(hard), softBytes: Number(soft), softSeconds: Number(seconds) };
}
