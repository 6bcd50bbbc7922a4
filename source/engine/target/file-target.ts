// A file as the target of one shard: RDB, AOF or JSON lines. Only an AOF takes commands; the others end with the snapshot.
import type { BigValueTaker, SnapshotEntry, SnapshotSink } from '../../readers/snapshot-sink.ts';
import type { BatchKind } from '../../writers/batch.ts';
import { AofFile } from '../../writers/file/aof-file.ts';
import { FileOutput } from '../../writers/file/file-output.ts';
import { JsonlFile } from '../../writers/file/jsonl-file.ts';
import { RdbFile, type RdbFileHost } from '../../writers/file/rdb-file.ts';
import type { FileDestination, ShardJob } from '../run/shard-job.ts';
import type { CommandTaker, ShardTarget, TargetHost } from '../shard/shard-target.ts';
import { FileCommands } from './file-commands.ts';
import { lossSentence } from './loss-sentences.ts';

/** The file as one of its three kinds. */
interface KindOfFile {
  readonly sink: SnapshotSink;
  readonly commands: CommandTaker;
  /** @throws FerryError `file` */
  finish(): Promise<void>;
}

export class FileTarget implements ShardTarget {
  readonly replaying = false;
  readonly outOfOrder = false;
  readonly checkpoint = null;
  readonly waiting = null;
  readonly held = 0;
  readonly conflicts = null;
  readonly kept = 0;
  /** An AOF is for whichever server it is given to; what it holds is as the source wrote it. */
  readonly setTakesExpiry = true;
  announcedKeys: number | null = null;
  readonly #job: ShardJob;
  readonly #destination: FileDestination;
  readonly #host: TargetHost;
  #output: FileOutput | null = null;
  #kind: KindOfFile | null = null;

  constructor(job: ShardJob, destination: FileDestination, host: TargetHost) {
    this.#job = job;
    this.#destination = destination;
    this.#host = host;
  }

  get sink(): SnapshotSink {
    return this.#counting(this.#opened().sink);
  }

  get commands(): CommandTaker {
    return this.#opened().commands;
  }

  get saturated(): boolean {
    return this.#output?.saturated ?? true;
  }

  get idle(): boolean {
    return this.#output?.idle ?? true;
  }

  get settledPosition(): number {
    return this.#output?.settledPosition ?? 0;
  }

  get inFlightBytes(): number {
    return this.#output === null ? 0 : this.#output.position - this.#output.writtenPosition;
  }

  async open(): Promise<void> {
    const { path, overwrite } = this.#destination;
    const output = await FileOutput.open(path, {
      overwrite,
      onRelief: () => this.#host.answered(0, 0),
      onError: (error) => this.#host.lost(error),
    });
    this.#output = output;
    this.#kind = this.#makeKind(output);
  }

  setKind(_kind: BatchKind): void {}

  /** Keys are scanned to servers only. */
  setManner(): void {}

  remove(): void {}

  flush(_now: boolean): void {
    this.#output?.note(this.#host.position);
    this.#output?.flush();
  }

  async finish(): Promise<void> {
    await this.#kind?.finish();
  }

  destroy(): void {
    void this.#output?.abandon();
  }

  #opened(): KindOfFile {
    if (this.#kind === null) throw new Error('the file is not open yet');
    return this.#kind;
  }

  #makeKind(output: FileOutput): KindOfFile {
    const { origin } = this.#job;
    const { rdbVersion } = this.#destination;
    const options = {
      decoded: origin.kind === 'file' && origin.format === 'jsonl',
      ...(rdbVersion === null ? {} : { version: rdbVersion }),
    };
    const none = new FileCommands(null, this.#host, this.#job.keyless);
    switch (this.#destination.format) {
      case 'rdb': {
        const file = new RdbFile(output, this.#rdbHost(), options);
        return { sink: file, commands: none, finish: () => file.finish() };
      }
      case 'jsonl': {
        const file = new JsonlFile(output, { onLoss: (what) => this.#host.once('warn', what) });
        return { sink: file, commands: none, finish: () => output.finish() };
      }
      case 'aof': {
        const snapshot = new RdbFile(output, this.#rdbHost(), { ...options, preamble: true });
        const file = new AofFile(output, snapshot, { blockBytes: this.#job.limits.transaction });
        return {
          sink: snapshot,
          commands: new FileCommands(file, this.#host, this.#job.keyless),
          finish: async () => {
            const left = await file.finish();
            if (left > 0) this.#host.once('warn', 'A transaction that the source had not ended is not in the file.');
          },
        };
      }
    }
  }

  #rdbHost(): RdbFileHost {
    return {
      lost: (loss) => this.#host.once('warn', lossSentence(loss, this.#destination.path)),
      leftOut: (what) => this.#host.once('warn', `${this.#destination.path} does not hold ${what}.`),
      refused: (database, key, reason) => this.#host.refused(database, [Buffer.from('RESTORE'), key], reason),
    };
  }

  /** Counts what goes into the file, and says so. */
  #counting(sink: SnapshotSink): SnapshotSink {
    const host = this.#host;
    const counted = (): void => {
      host.taken();
      host.answered(1, 0);
    };
    const setAnnounced = (keys: number): void => {
      this.announcedKeys = (this.announcedKeys ?? 0) + keys;
    };
    return {
      get saturated() {
        return sink.saturated;
      },
      header: (header, templates) => sink.header(header, templates),
      entry: (entry: SnapshotEntry) => {
        sink.entry(entry);
        counted();
      },
      beginBig: (entry: SnapshotEntry): BigValueTaker => {
        host.answered(1, 0);
        return sink.beginBig(entry);
      },
      announcedKeys: (count) => {
        setAnnounced(count);
        sink.announcedKeys(count);
      },
      aux: (name, value) => sink.aux(name, value),
      functionLibrary: (code) => sink.functionLibrary(code),
      leftOut: (what) => {
        host.once('warn', `The snapshot holds ${what}, which ${this.#destination.path} does not.`);
        sink.leftOut(what);
      },
    };
  }
}
