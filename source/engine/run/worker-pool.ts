// The worker threads that carry the shards, spread evenly. A thread that dies takes its shards with it, and says so.
import { Worker } from 'node:worker_threads';
import { messageOf } from '../errors.ts';
import type { FromWorker, ShardJob, ToWorker } from './shard-job.ts';

export interface PoolListener {
  told(message: FromWorker): void;
  /** The thread of these shards is gone; nothing of theirs is acknowledged that was not applied. */
  died(shards: readonly number[], message: string): void;
}

interface Member {
  readonly worker: Worker;
  readonly shards: number[];
  exited: boolean;
}

/** Beside this file: TypeScript in the source tree, one bundle in dist. */
const WORKER_FILE = import.meta.url.endsWith('.ts') ? './shard-worker.ts' : './shard-worker.js';
/** The pipelines keep their bytes outside of the heap; a larger young generation only adds to the resident memory. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 256 };

export class WorkerPool {
  readonly #listener: PoolListener;
  readonly #file: URL;
  readonly #members: Member[];
  #next = 0;
  #closed = false;

  /** @param file what a thread runs; by default the worker beside this file. */
  constructor(threads: number, listener: PoolListener, file: URL = new URL(WORKER_FILE, import.meta.url)) {
    this.#listener = listener;
    this.#file = file;
    this.#members = Array.from({ length: Math.max(1, threads) }, () => this.#spawn());
  }

  /** On the next thread in turn, or on a new one in the place of one that died. */
  start(job: ShardJob): void {
    const place = this.#next++ % this.#members.length;
    let member = this.#members[place];
    if (member === undefined || member.exited) {
      member = this.#spawn();
      this.#members[place] = member;
    }
    // One that begins once more may have been another thread's, which gets its messages no longer.
    for (const other of this.#members) {
      const at = other.shards.indexOf(job.id);
      if (at >= 0) other.shards.splice(at, 1);
    }
    member.shards.push(job.id);
    member.worker.postMessage({ type: 'start', job } satisfies ToWorker);
  }

  send(message: ToWorker & { readonly shard: number }): void {
    this.#members
      .find((member) => !member.exited && member.shards.includes(message.shard))
      ?.worker.postMessage(message);
  }

  #spawn(): Member {
    const worker = new Worker(this.#file, { resourceLimits: WORKER_LIMITS });
    const member: Member = { worker, shards: [], exited: false };
    let reason = 'it ended by itself';
    worker.on('message', (message: FromWorker) => this.#listener.told(message));
    worker.on('error', (error) => {
      reason = messageOf(error);
    });
    worker.on('exit', () => {
      member.exited = true;
      if (!this.#closed) this.#listener.died(member.shards, `The worker thread of this shard died (${reason}).`);
    });
    return member;
  }

  /** Lets the threads end by themselves; one that does not is ended. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#members.map(({ worker, exited }) => (exited ? null : endOf(worker))));
  }
}

/** How long a thread may take to let go of what it still holds. */
const END_MS = 2000;

function endOf(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => void worker.terminate(), END_MS);
    worker.on('exit', () => {
      clearTimeout(late);
      resolve();
    });
    worker.postMessage({ type: 'end' } satisfies ToWorker);
  });
}
