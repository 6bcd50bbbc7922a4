// Takes what the snapshot holds: keys go to the writer, libraries and scripts behind the barrier, the rest is counted.
import type { SnapshotEntry, SnapshotHeader, SnapshotSink } from '../readers/snapshot-parser.ts';
import type { SnapshotWriter } from '../writers/snapshot-writer.ts';
import type { TargetNodes } from '../writers/target-nodes.ts';
import type { Barrier } from './barrier.ts';

export interface IntakeListener {
  refused(database: number, args: readonly Buffer[], reason: string): void;
  /** A command for every node, once everything before is applied. */
  broadcast(args: readonly Buffer[]): void;
  /** The entry is with a writer, or needs none. */
  taken(): void;
}

export class SnapshotIntake implements SnapshotSink {
  /** Keys that the source announced; a hint. */
  announced: number | null = null;
  readonly #nodes: TargetNodes;
  readonly #writer: SnapshotWriter;
  readonly #barrier: Barrier;
  readonly #takesFunctions: boolean;
  readonly #listener: IntakeListener;

  constructor(
    nodes: TargetNodes,
    writer: SnapshotWriter,
    barrier: Barrier,
    takesFunctions: boolean,
    listener: IntakeListener,
  ) {
    this.#nodes = nodes;
    this.#writer = writer;
    this.#barrier = barrier;
    this.#takesFunctions = takesFunctions;
    this.#listener = listener;
  }

  get saturated(): boolean {
    return this.#nodes.saturated || this.#barrier.closed;
  }

  header(header: SnapshotHeader): void {
    this.#writer.begin(header);
  }

  entry(entry: SnapshotEntry): void {
    if (entry.database !== 0 && this.#nodes.cluster) {
      this.#refuse(entry, 'the target is a cluster, which has database 0 only');
    } else {
      this.#writer.write(entry);
    }
    this.#listener.taken();
  }

  oversized(entry: SnapshotEntry, valueBytes: number): void {
    this.#refuse(
      entry,
      `its value of ${valueBytes} bytes is larger than limits.valueInMemory or the target's proto-max-bulk-len`,
    );
    this.#listener.taken();
  }

  announcedKeys(count: number): void {
    this.announced = (this.announced ?? 0) + count;
  }

  aux(name: string, value: string): void {
    // Scripts of sources before 7.0, which keep them in the snapshot.
    if (name === 'lua') this.#listener.broadcast([Buffer.from('SCRIPT'), Buffer.from('LOAD'), Buffer.from(value)]);
  }

  functionLibrary(code: Buffer): void {
    if (!this.#takesFunctions) return;
    this.#listener.broadcast([Buffer.from('FUNCTION'), Buffer.from('LOAD'), Buffer.from('REPLACE'), code]);
  }

  #refuse(entry: SnapshotEntry, reason: string): void {
    const key = Buffer.from(entry.keyBytes.subarray(entry.keyStart, entry.keyStart + entry.keyLength));
    this.#listener.refused(entry.database, [Buffer.from('RESTORE'), key], reason);
  }
}
