// Files as a shard's source: read to their end, which is the run's end too.
import { FileFeed } from '../../readers/file/file-feed.ts';
import type { FileOrigin } from '../run/shard-job.ts';
import type { FeedHost, FeedSample, ShardFeed } from '../shard/shard-feed.ts';
import { FileScript } from './file-script.ts';

export class FileRun implements ShardFeed {
  readonly bytes: FileFeed;
  /** Files are read once. */
  readonly recopier = null;
  readonly script: FileScript;
  readonly silence = null;
  readonly #host: FeedHost;
  #taken = 0;
  #snapshotApplied = false;
  #stopping = false;

  constructor(origin: FileOrigin, host: FeedHost) {
    this.#host = host;
    this.bytes = new FileFeed({
      files: origin.files,
      format: origin.format,
      totalBytes: origin.totalBytes,
      onReadable: () => {
        this.#count();
        host.pump.run();
      },
      onError: (error) => {
        this.script.fail(error);
        host.pump.run();
      },
    });
    this.script = new FileScript(origin, { ...host.parts, bytes: this.bytes }, () => {
      if (this.#snapshotApplied) return;
      this.#snapshotApplied = true;
      host.life.on('snapshot-applied');
    });
  }

  get queued(): number {
    return this.script.unread;
  }

  /** A file has no history; its offsets are its positions. */
  readonly history = null;

  offsetAt(position: number): number {
    return position;
  }

  positionAt(offset: number): number {
    return offset;
  }

  start(): void {
    this.#host.life.on('file-opened');
    this.bytes.start();
  }

  /** A file half-read is not what somebody wanted who said "stop". */
  drain(): boolean {
    return false;
  }

  sourceAt(): void {}

  exhausted(): void {
    if (!this.script.finished || this.#stopping) return;
    this.#stopping = true;
    const { failure, aofEnd } = this.script;
    if (failure !== null) {
      this.#host.fail(failure);
      return;
    }
    if (aofEnd !== null && aofEnd.message !== null) this.#host.notice('warn', aofEnd.message);
    this.#host.end({ reason: 'drained', message: null });
  }

  permit(): void {}

  sample(): FeedSample {
    this.#count();
    return {
      snapshotBytesDone: this.bytes.consumedBytes,
      snapshotBytesTotal: this.bytes.totalBytes,
      snapshotKind: null,
      replid: null,
      receivedOffset: null,
      appliedOffset: null,
      lagSeconds: null,
      spoolBytes: 0,
    };
  }

  close(): void {
    void this.bytes.close();
  }

  release(): Promise<void> {
    return this.bytes.close();
  }

  /** What was read since the last look, for the rate on the screen. */
  #count(): void {
    const consumed = this.bytes.consumedBytes;
    this.#host.received(consumed - this.#taken);
    this.#taken = consumed;
  }
}
