// Takes what the snapshot holds: keys go to the writer or to the lane of values that need commands, libraries and scripts
// behind the barrier, the rest is counted.
import type { ExpiryHold } from '../../protocol/held-expiry.ts';
import type { HashTemplates } from '../../rdb/hash-templates.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotHeader, SnapshotSink } from '../../readers/snapshot-sink.ts';
import type { NativeLane } from '../../writers/native-lane.ts';
import type { SnapshotWriter } from '../../writers/snapshot-writer.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { NativePlaces } from './native-places.ts';

export interface IntakeHost {
  readonly takesFunctions: boolean;
  readonly hold: ExpiryHold;
  /** Something must happen before anything more is taken. */
  blocked(): boolean;
  refused(database: number, args: readonly Buffer[], reason: string): void;
  once(level: 'info' | 'warn', message: string): void;
  /** A command for every node, once everything before is applied. */
  broadcast(args: readonly Buffer[]): void;
  /** A function library for every node, once everything before is applied. */
  library(code: Buffer): void;
  /** The entry is with a writer, or needs none. */
  taken(): void;
}

const ONLY_DATABASE_0 = 'the target is a cluster, which has database 0 only';

export class SnapshotIntake implements SnapshotSink {
  /** Keys that the source announced; a hint. */
  announced: number | null = null;
  readonly #nodes: TargetNodes;
  readonly #writer: SnapshotWriter;
  readonly #lane: NativeLane;
  readonly #places: NativePlaces;
  readonly #host: IntakeHost;

  constructor(nodes: TargetNodes, writer: SnapshotWriter, lane: NativeLane, places: NativePlaces, host: IntakeHost) {
    this.#nodes = nodes;
    this.#writer = writer;
    this.#lane = lane;
    this.#places = places;
    this.#host = host;
  }

  get saturated(): boolean {
    return this.#nodes.saturated || !this.#lane.idle || this.#host.blocked();
  }

  header(header: SnapshotHeader, templates: HashTemplates): void {
    this.#writer.begin(header, templates);
    this.#lane.begin(header.dialect, templates);
  }

  entry(entry: SnapshotEntry): void {
    if (entry.database !== 0 && this.#nodes.cluster) {
      this.#refuse(entry, ONLY_DATABASE_0);
    } else {
      const outcome = this.#writer.write(entry);
      if (outcome === 'native') this.#writeByCommands(entry);
      else if (typeof outcome === 'object') this.#refuse(entry, outcome.impossible);
    }
    this.#host.taken();
  }

  beginBig(entry: SnapshotEntry): BigValueTaker {
    const obstacle =
      entry.database !== 0 && this.#nodes.cluster
        ? ONLY_DATABASE_0
        : (this.#writer.obstacle(entry.type) ??
          (this.#lane.takes(entry.type) ? null : 'only RESTORE could carry a value of its type'));
    if (obstacle === null) {
      this.#host.once(
        'info',
        'A value above limits.valueInMemory is written by commands, in batches, under a temporary name; said once.',
      );
      return { kind: 'decoded', sink: this.#lane.beginBig(this.#placeOf(entry)) };
    }
    const { database } = entry;
    const key = keyOf(entry);
    return {
      kind: 'skip',
      skipped: (bytes) => {
        const reason = `its value of ${bytes} bytes is larger than limits.valueInMemory or the target's proto-max-bulk-len, and ${obstacle}`;
        this.#host.refused(database, [Buffer.from('RESTORE'), key], reason);
        this.#host.taken();
      },
    };
  }

  announcedKeys(count: number): void {
    this.announced = (this.announced ?? 0) + count;
  }

  aux(name: string, value: Buffer): void {
    // Scripts of sources before 7.0, which keep them in the snapshot.
    if (name === 'lua') this.#host.broadcast([Buffer.from('SCRIPT'), Buffer.from('LOAD'), value]);
  }

  functionLibrary(code: Buffer): void {
    if (this.#host.takesFunctions) {
      this.#host.library(code);
    } else {
      this.#host.once(
        'warn',
        'The source has function libraries, which the target (before 7.0) or filter.function leaves out.',
      );
    }
  }

  leftOut(what: string): void {
    this.#host.once('warn', `The snapshot holds ${what}, which no command carries: it is not on the target.`);
  }

  #writeByCommands(entry: SnapshotEntry): void {
    const { type } = entry;
    if (!this.#lane.takes(type)) {
      this.#refuse(entry, 'the target refuses RESTORE, and no commands make a value of its type');
      return;
    }
    this.#lane.add(this.#placeOf(entry), { type, value: Buffer.from(this.#writer.wholeValue(entry)) }, false);
  }

  #placeOf(entry: SnapshotEntry) {
    const { hold } = this.#host;
    const expiresAtMs = hold.key(entry.expiresAtMs);
    return this.#places.place(
      entry.database,
      keyOf(entry),
      expiresAtMs,
      (ofField) => hold.field(ofField),
      this.#writer.manner.replaces,
    );
  }

  #refuse(entry: SnapshotEntry, reason: string): void {
    this.#host.refused(entry.database, [Buffer.from('RESTORE'), keyOf(entry)], reason);
  }
}

function keyOf({ keyBytes, keyStart, keyLength }: SnapshotEntry): Buffer {
  return Buffer.from(keyBytes.subarray(keyStart, keyStart + keyLength));
}
