// How the stream's commands stand on the wire. Bare ones may be played again in order without harm (replay-class.ts); all
// else travels in MULTI and EXEC with a marker, so that command and marker take effect together or not at all:
// - BatchWrap, for a standalone: a batch is one block with one marker at its end. A batch of bare commands alone needs no
//   block: its marker follows them.
// - SlotWrap, for a cluster, where a block can not leave its slot: neighbours of one slot share a block and its marker;
//   bare commands travel without.
// - PlainWrap, for a target on which nothing may be left (target.exactlyOnce off), and for commands from a file.
import type { SlotMarkers } from '../checkpoint/marker.ts';
import { encodeCommand, putBytes } from '../protocol/resp-encode.ts';
import type { Batch } from './batch.ts';
import { LINE } from './line-record.ts';
import type { NodeWriter } from './node-writer.ts';

const MULTI = encodeCommand(['MULTI']);
const EXEC = encodeCommand(['EXEC']);
const NO_SLOT = -1;
/** All markers of a standalone stand in this slot's name (STANDALONE_MARKER_SLOT of checkpoint/read-markers.ts). */
const STANDALONE_SLOT = 0;

export interface StreamWrap {
  /** Room that must be left in a batch beside a command: for what stands around it. */
  readonly frameBytes: number;
  /**
   * One command as it stands in `from`.
   * @param reached what the slot's marker says behind it: `offset`, or more when it is played again late.
   * @param bare it may be played again.
   */
  command(
    from: Buffer,
    start: number,
    length: number,
    database: number,
    slot: number,
    offset: number,
    reached: number,
    bare: boolean,
  ): void;
  /** Several commands of one slot that take effect together; the offset is their EXEC's. */
  block(block: CommandBlock, slot: number, offset: number, reached: number): void;
  /** A batch was begun. */
  opened(batch: Batch): void;
  /** The batch is about to be sent. */
  closing(batch: Batch): void;
  /** The marker of a slot alone, behind everything appended so far. */
  mark(slot: number, offset: number): void;
  /** A command of redferry's own, behind everything appended so far. */
  own(bytes: Buffer, database: number): void;
  /** What was begun is forgotten: it is going to be played again. */
  reset(): void;
}

/** Commands that belong together. */
export interface CommandBlock {
  /** Bytes of a batch that hold all of it, the SELECTs among them included. */
  readonly roomBytes: number;
  readonly firstDatabase: number;
  commands(): Iterable<{
    readonly bytes: Buffer;
    readonly start: number;
    readonly end: number;
    readonly database: number;
  }>;
}

/** What a marker says, at the time it is written. */
export interface MarkerState {
  readonly markers: SlotMarkers;
  /** The source's database in force. */
  database(offset: number): number;
}

/** Appends one command of the source. */
function append(
  writer: NodeWriter,
  from: Buffer,
  start: number,
  length: number,
  database: number,
  slot: number,
  offset: number,
): void {
  const at = writer.reserve(length, database);
  writer.commit(putBytes(writer.out, at, from, start, length), 0, 1);
  writer.openBatch.lines?.add(slot, offset);
}

/** Appends a line of our own where there is room for it already. */
function putLine(batch: Batch, bytes: Buffer, kind: number): void {
  batch.length = putBytes(batch.buffer, batch.length, bytes, 0, bytes.length);
  batch.lines?.add(kind, 0);
}

export class PlainWrap implements StreamWrap {
  readonly frameBytes = MULTI.length + EXEC.length;
  readonly #writer: NodeWriter;

  constructor(writer: NodeWriter) {
    this.#writer = writer;
  }

  command(from: Buffer, start: number, length: number, database: number, slot: number, offset: number): void {
    append(this.#writer, from, start, length, database, slot, offset);
  }

  block(block: CommandBlock, slot: number, offset: number): void {
    const writer = this.#writer;
    writer.reserve(block.roomBytes, block.firstDatabase);
    putLine(writer.openBatch, MULTI, LINE.multi);
    putBlock(writer, block, slot, offset);
    putLine(writer.openBatch, EXEC, LINE.exec);
  }

  opened(): void {}

  closing(): void {}

  mark(): void {}

  own(bytes: Buffer, database: number): void {
    this.#writer.reserve(bytes.length, database);
    putLine(this.#writer.openBatch, bytes, LINE.own);
  }

  reset(): void {}
}

export class BatchWrap implements StreamWrap {
  readonly frameBytes: number;
  readonly #writer: NodeWriter;
  readonly #state: MarkerState;
  /** Something of the open batch can not be played again, or belongs together. */
  #wrapped = false;
  #offset = 0;

  constructor(writer: NodeWriter, state: MarkerState) {
    this.#writer = writer;
    this.#state = state;
    this.frameBytes = MULTI.length + EXEC.length + state.markers.maxBytes;
  }

  command(
    from: Buffer,
    start: number,
    length: number,
    database: number,
    slot: number,
    offset: number,
    reached: number,
    bare: boolean,
  ): void {
    append(this.#writer, from, start, length, database, slot, offset);
    if (!bare) this.#wrapped = true;
    this.#offset = reached;
  }

  block(block: CommandBlock, slot: number, offset: number, reached: number): void {
    // All of it has to stand in one batch.
    this.#writer.reserve(block.roomBytes, block.firstDatabase);
    putBlock(this.#writer, block, slot, offset);
    this.#wrapped = true;
    this.#offset = reached;
  }

  opened(batch: Batch): void {
    // Whether it is needed shows when the batch is closed.
    putLine(batch, MULTI, LINE.multi);
    batch.start = batch.length;
    batch.firstLine = 1;
    this.#wrapped = false;
  }

  closing(batch: Batch): void {
    if (this.#wrapped) {
      batch.start = 0;
      batch.firstLine = 0;
    }
    this.#putMarker(batch, this.#offset);
    if (this.#wrapped) putLine(batch, EXEC, LINE.exec);
  }

  mark(_slot: number, offset: number): void {
    // The batch ends with it.
    this.#writer.reserve(0, 0);
    this.#offset = offset;
  }

  own(bytes: Buffer, database: number): void {
    this.#writer.reserve(bytes.length, database);
    putLine(this.#writer.openBatch, bytes, LINE.own);
  }

  reset(): void {}

  #putMarker(batch: Batch, offset: number): void {
    const { markers, database } = this.#state;
    batch.length = markers.put(batch.buffer, batch.length, STANDALONE_SLOT, offset, database(offset));
    batch.lines?.add(LINE.own, 0);
  }
}

export class SlotWrap implements StreamWrap {
  readonly frameBytes: number;
  readonly #writer: NodeWriter;
  readonly #state: MarkerState;
  /** Of the block under way; NO_SLOT between two. */
  #slot = NO_SLOT;
  #offset = 0;

  constructor(writer: NodeWriter, state: MarkerState) {
    this.#writer = writer;
    this.#state = state;
    // The end of one block, the beginning of the next and its end.
    this.frameBytes = 2 * (MULTI.length + EXEC.length + state.markers.maxBytes);
  }

  command(
    from: Buffer,
    start: number,
    length: number,
    database: number,
    slot: number,
    offset: number,
    reached: number,
    bare: boolean,
  ): void {
    const writer = this.#writer;
    writer.reserve(length, database);
    const batch = writer.openBatch;
    if (this.#slot !== slot) {
      this.#endBlock(batch);
      if (!bare) this.#beginBlock(batch, slot);
    }
    this.#offset = reached;
    writer.commit(putBytes(writer.out, batch.length, from, start, length), 0, 1);
    batch.lines?.add(slot, offset);
  }

  block(block: CommandBlock, slot: number, offset: number, reached: number): void {
    const writer = this.#writer;
    writer.reserve(block.roomBytes, 0);
    const batch = writer.openBatch;
    if (this.#slot !== slot) {
      this.#endBlock(batch);
      this.#beginBlock(batch, slot);
    }
    this.#offset = reached;
    putBlock(writer, block, slot, offset);
  }

  opened(): void {}

  closing(batch: Batch): void {
    this.#endBlock(batch);
  }

  mark(slot: number, offset: number): void {
    this.#writer.reserve(0, 0);
    const batch = this.#writer.openBatch;
    this.#endBlock(batch);
    this.#putMarker(batch, slot, offset);
  }

  own(bytes: Buffer): void {
    this.#writer.reserve(bytes.length, 0);
    this.#endBlock(this.#writer.openBatch);
    putLine(this.#writer.openBatch, bytes, LINE.own);
  }

  reset(): void {
    this.#slot = NO_SLOT;
  }

  #beginBlock(batch: Batch, slot: number): void {
    putLine(batch, MULTI, LINE.multi);
    this.#slot = slot;
  }

  #endBlock(batch: Batch): void {
    if (this.#slot === NO_SLOT) return;
    this.#putMarker(batch, this.#slot, this.#offset);
    putLine(batch, EXEC, LINE.exec);
    this.#slot = NO_SLOT;
  }

  #putMarker(batch: Batch, slot: number, offset: number): void {
    const { markers, database } = this.#state;
    batch.length = markers.put(batch.buffer, batch.length, slot, offset, database(offset));
    batch.lines?.add(LINE.own, 0);
  }
}

/** The commands of a block, where there is room for all of them, with the SELECTs that they need. */
function putBlock(writer: NodeWriter, block: CommandBlock, slot: number, offset: number): void {
  const batch = writer.openBatch;
  for (const { bytes, start, end, database } of block.commands()) {
    writer.select(database);
    writer.commit(putBytes(batch.buffer, batch.length, bytes, start, end - start), 0, 1);
    batch.lines?.add(slot, offset);
    batch.lines?.auditLast(1);
  }
}
