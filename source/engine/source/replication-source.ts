// A server as the source of one shard: its replication link, and the elastic queue that keeps reading while we write.
import type { StreamPlace } from '../../readers/replication-link.ts';
import { ElasticQueue } from '../../spool/elastic-queue.ts';
import type { NodeAddress } from '../../topology/endpoint.ts';
import type { ServerOrigin, ShardJob } from '../run/shard-job.ts';
import { type ReceiverListener, SourceReceiver } from './source-receiver.ts';

export interface ReplicationSourceListener extends ReceiverListener {
  /** Bytes stand in the queue. */
  readable(): void;
  spoolFailed(error: Error): void;
}

export class ReplicationSource {
  readonly bytes: ElasticQueue;
  readonly #receiver: SourceReceiver;

  /** @param appliedOffset of the last byte that has taken effect on the target; null before the source named one. */
  constructor(
    job: ShardJob,
    origin: ServerOrigin,
    listener: ReplicationSourceListener,
    appliedOffset: () => number | null,
  ) {
    const { limits, run, name } = job;
    this.bytes = new ElasticQueue({
      memoryBytes: limits.queueMemory,
      diskBytes: limits.queueDisk,
      directory: limits.spoolDirectory,
      name: `${run}-${name}`,
      onReadable: () => listener.readable(),
      onRelief: () => this.#receiver.relieve(),
      onError: (error) => listener.spoolFailed(error),
    });
    this.#receiver = new SourceReceiver(origin, this.bytes, listener, appliedOffset);
  }

  get address(): NodeAddress {
    return this.#receiver.address;
  }

  get replid(): string | null {
    return this.#receiver.replid;
  }

  get receivedOffset(): number | null {
    return this.#receiver.receivedOffset;
  }

  get full(): boolean {
    return this.bytes.full;
  }

  get diskBytes(): number {
    return this.bytes.diskBytes;
  }

  /** The stream is asked for behind this place, without a snapshot. Before `start`. */
  resume(place: StreamPlace): void {
    this.#receiver.resume(place);
  }

  start(): void {
    this.#receiver.start();
  }

  retryNow(): void {
    this.#receiver.retryNow();
  }

  sourceAt(offset: number): void {
    this.#receiver.sourceAt(offset);
  }

  acknowledge(): void {
    this.#receiver.acknowledge();
  }

  close(): void {
    this.#receiver.close();
  }

  release(): Promise<void> {
    return this.bytes.close();
  }
}
