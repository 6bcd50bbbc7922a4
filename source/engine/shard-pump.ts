// Moves the bytes of one shard from its queue through the parsers to the writers, in turns, so that the sockets of the
// same thread get theirs. It knows positions, not offsets: every byte of the source has one, from the snapshot's first.
import type { ByteSource, ByteWindow } from '../readers/byte-window.ts';
import { MARK_BYTES, type SnapshotFrame } from '../readers/psync-framing.ts';
import { SnapshotParser, type SnapshotSink } from '../readers/snapshot-parser.ts';
import { StreamParser } from '../readers/stream-parser.ts';
import type { StreamRouter } from '../writers/stream-router.ts';
import type { TargetNodes } from '../writers/target-nodes.ts';
import type { Barrier } from './barrier.ts';
import { FerryError } from './errors.ts';

/** After this many bytes the pump lets the sockets have a turn. */
const TURN_BYTES = 1024 * 1024;

/** What is read next. `settling`: the snapshot is written and its last replies are awaited. */
type Phase = 'snapshot' | 'mark' | 'settling' | 'stream';

export interface PumpParts {
  readonly queue: ByteSource & { readonly size: number };
  readonly window: ByteWindow;
  readonly nodes: TargetNodes;
  readonly router: StreamRouter;
  readonly sink: SnapshotSink;
  readonly barrier: Barrier;
  /** Largest value or command held, bytes. */
  readonly valueBytes: number;
}

export interface PumpListener {
  /** The last reply to the snapshot is in. */
  snapshotApplied(): void;
  /** Everything received has been applied. */
  exhausted(): void;
  failed(thrown: unknown): void;
}

export class ShardPump {
  /** Set when the source has framed its snapshot. */
  frame: SnapshotFrame | null = null;
  /** Position at which the stream begins; 0 before it is known. */
  streamPosition = 0;
  /** Everything before this position was handed to a writer or needs none. */
  handedOver = 0;
  readonly #parts: PumpParts;
  readonly #listener: PumpListener;
  readonly #snapshot: SnapshotParser;
  readonly #stream: StreamParser;
  #phase: Phase = 'snapshot';
  #running = false;
  #stopped = false;
  #turnPlanned = false;
  paused = false;

  constructor(parts: PumpParts, listener: PumpListener) {
    this.#parts = parts;
    this.#listener = listener;
    this.#snapshot = new SnapshotParser(parts.window, parts.sink, { valueBytes: parts.valueBytes });
    this.#stream = new StreamParser(parts.window, { commandBytes: parts.valueBytes });
  }

  get inStream(): boolean {
    return this.#phase === 'stream';
  }

  /** Everything before this position has taken effect on the target. */
  get settledPosition(): number {
    return Math.min(this.#parts.nodes.settledPosition, this.handedOver);
  }

  /** A record of the snapshot was taken. */
  taken(): void {
    this.handedOver = this.#parts.window.position;
  }

  /** No more bytes are moved, whatever comes. */
  stop(): void {
    this.#stopped = true;
  }

  /** Moves what can be moved now: call it whenever bytes came, replies came, or a pause ended. */
  run(): void {
    if (this.#running || this.#stopped || this.paused || this.#parts.barrier.running) return;
    this.#running = true;
    try {
      this.#turn();
    } catch (error) {
      this.#stopped = true;
      this.#listener.failed(error);
    } finally {
      this.#running = false;
    }
  }

  #turn(): void {
    const { window, nodes, barrier } = this.#parts;
    const until = window.position + TURN_BYTES;
    while (this.#step()) {
      if (window.position >= until) {
        this.#planTurn();
        break;
      }
    }
    nodes.flush(barrier.closed || this.#phase === 'settling');
    if (!nodes.idle) return;
    if (barrier.closed) this.#passBarrier();
    else if (this.#phase === 'settling') this.#beginStream();
    else if (this.#phase === 'stream' && this.#parts.queue.size === 0 && !this.#turnPlanned) this.#listener.exhausted();
  }

  #planTurn(): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    setImmediate(() => {
      this.#turnPlanned = false;
      this.run();
    });
  }

  #passBarrier(): void {
    this.#parts.barrier.run().then(
      () => this.run(),
      (error: unknown) => this.#listener.failed(error),
    );
  }

  #beginStream(): void {
    this.#phase = 'stream';
    this.#parts.nodes.setKind('stream');
    this.#listener.snapshotApplied();
    this.#planTurn();
  }

  /** Reads on in the present phase; false when nothing more can be done now. */
  #step(): boolean {
    if (this.#parts.barrier.closed) return false;
    switch (this.#phase) {
      case 'snapshot':
        return this.#stepSnapshot();
      case 'mark':
        return this.#stepMark();
      case 'settling':
        return false;
      case 'stream':
        return this.#stepStream();
    }
  }

  #stepSnapshot(): boolean {
    switch (this.#snapshot.parse()) {
      case 'blocked':
        return false;
      case 'end':
        this.#phase = 'mark';
        return true;
      case 'hungry':
        return this.#fill();
    }
  }

  /** Behind a diskless snapshot stands its mark: the walk and the receiver must agree on where it ends. */
  #stepMark(): boolean {
    const { window } = this.#parts;
    const mark = this.frame?.mark ?? null;
    if (mark !== null) {
      while (window.length < MARK_BYTES) if (!this.#fill()) return false;
      if (!window.bytes.subarray(window.start, window.start + MARK_BYTES).equals(mark)) throw this.#wrongEnd();
      window.start += MARK_BYTES;
    } else if (window.position !== this.frame?.bytes) {
      throw this.#wrongEnd();
    }
    this.handedOver = window.position;
    this.streamPosition = window.position;
    this.#phase = 'settling';
    return false;
  }

  #wrongEnd(): FerryError {
    return new FerryError(
      `The snapshot does not end where its source said (byte ${this.#parts.window.position}): what follows can not be trusted.`,
      { code: 'rdb' },
    );
  }

  #stepStream(): boolean {
    const { nodes, router, window, barrier } = this.#parts;
    for (;;) {
      if (nodes.saturated) return false;
      switch (this.#stream.next()) {
        case 'command':
          router.handle(this.#stream);
          break;
        case 'oversized':
          router.oversized(this.#stream);
          break;
        case 'hungry':
          return this.#fill();
      }
      // Inside a MULTI block no position is one to go on from.
      if (!router.insideBlock) this.handedOver = window.position;
      if (barrier.closed) return false;
    }
  }

  #fill(): boolean {
    return this.#parts.window.fill(this.#parts.queue) > 0;
  }
}
