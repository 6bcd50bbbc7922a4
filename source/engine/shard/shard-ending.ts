// How a shard comes to its end, and what does not end it yet: what broke may be mended by a new attempt, or be a node's leave
// of its cluster. A good end completes the target first.

import { type FerryError, messageOf } from '../errors.ts';
import type { FromWorker, ShardCheckpoint, ShardEnd } from '../run/shard-job.ts';
import type { ShardAttempts } from './shard-attempts.ts';
import type { ShardLife } from './shard-life.ts';
import { obstacleToRestart } from './shard-restart.ts';
import type { ShardTally } from './shard-tally.ts';

/** The main thread asks the cluster once a second. */
const LEAVE_MS = 3000;

export interface EndingHost {
  readonly life: ShardLife;
  readonly tally: ShardTally;
  readonly attempts: ShardAttempts;
  /** A node of a cluster, which may leave it. */
  readonly mayLeave: boolean;
  tellSample(): void;
  post(message: FromWorker): void;
}

export class ShardEnding {
  /** Nothing begins any more. */
  ended = false;
  /** It was asked to apply what it has, and then to end: what breaks now is not mended. */
  draining = false;
  /** Where a shard that was drained stands. */
  checkpoint: ShardCheckpoint | null = null;
  readonly #host: EndingHost;
  /** While it is found out whether the node has left its cluster. */
  #leaveTimer: NodeJS.Timeout | null = null;

  constructor(host: EndingHost) {
    this.#host = host;
  }

  /** The present attempt met what it can not go on from. */
  fail(error: FerryError): void {
    const { attempts, life, tally } = this.#host;
    // Of links that break together only the first begins the shard anew.
    if (this.ended || attempts.waiting) return;
    if (this.#mayHaveLeft(error)) return;
    const obstacle = obstacleToRestart(attempts.job, error);
    if (obstacle === null && !this.draining && life.hasBegun) {
      attempts.restart(error);
      return;
    }
    const message = `${error.message} ${obstacle ?? ''}`.trim();
    life.setError(message);
    life.on('fail');
    tally.notice('error', message);
    this.end({ reason: 'failed', message });
  }

  /** Another attempt begins: what became of the last one is no longer asked. */
  begunAnew(): void {
    if (this.#leaveTimer !== null) clearTimeout(this.#leaveTimer);
    this.#leaveTimer = null;
  }

  /** A good end completes the target first; what fails then makes it a bad one. */
  end(end: ShardEnd): void {
    if (this.ended) return;
    const { attempts, tally } = this.#host;
    const { job, passage } = attempts;
    // Everything is applied, and the markers are not taken away yet.
    if (end.reason === 'drained') this.checkpoint = passage.target.checkpoint;
    this.ended = true;
    if (this.#leaveTimer !== null) clearTimeout(this.#leaveTimer);
    attempts.stop();
    void this.#complete(end).then(async (final) => {
      await passage.release();
      tally.tell();
      this.#host.tellSample();
      this.#host.post({ type: 'ended', shard: job.id, end: final });
    });
  }

  /**
   * A cluster's master that has lost its last slot becomes a replica of the new owner (7.0), and so begins another history:
   * the main thread, which asks the cluster, says within a second or two whether it was that.
   */
  #mayHaveLeft(error: FerryError): boolean {
    const { life, mayLeave } = this.#host;
    if (!mayLeave || error.code !== 'backlog-gone' || this.#leaveTimer !== null || this.draining) return false;
    life.waitFor(`${error.message} Asking the cluster what has become of it.`);
    this.#leaveTimer = setTimeout(() => this.fail(error), LEAVE_MS);
    return true;
  }

  async #complete(end: ShardEnd): Promise<ShardEnd> {
    const { attempts, life, tally } = this.#host;
    if (end.reason === 'left') {
      life.on('stop');
      life.on('drained');
    }
    if (end.reason !== 'snapshot-done' && end.reason !== 'drained') return end;
    if (life.state !== 'draining') life.on('stop');
    try {
      await attempts.passage.target.finish();
      life.on('drained');
      return end;
    } catch (error) {
      const message = messageOf(error);
      life.setError(message);
      life.on('fail');
      tally.notice('error', message);
      return { reason: 'failed', message };
    }
  }
}
