// Cuts what a source sends after PSYNC into its parts: the reply line, the frame of the snapshot, its bytes, the stream.
// Pure: bytes in, calls out. Sources: replication.c of Redis 7 (readSyncBulkPayload, syncWithMaster) and what 6.0 to 8.0
// were seen to send: newlines as heartbeats before the reply and before the frame, no line end behind the bytes.
import { FerryError } from '../engine/errors.ts';

const LF = 10;
const CR = 13;
/** `$EOF:` is followed by a mark of this length, which ends the snapshot as well. */
export const MARK_BYTES = 40;
/** A reply or frame line is short; more without a line end is no Redis. */
const LONGEST_LINE = 4096;

export interface SnapshotFrame {
  readonly kind: 'disk' | 'diskless';
  /** Announced by a source that sends a file; null from one that sends as it forks. */
  readonly bytes: number | null;
  /** The end mark of a diskless snapshot. */
  readonly mark: Buffer | null;
}

export interface FramingListener {
  /** The line that answers PSYNC. Returns what follows it: a snapshot, or the stream at once. */
  replied(line: string): 'snapshot' | 'stream';
  heartbeat(): void;
  snapshotBegins(frame: SnapshotFrame): void;
  /** Bytes of the snapshot, with the end mark of a diskless one, then of the stream; false to stop reading. */
  bytes(view: Buffer): boolean;
  /** The last byte of the snapshot, and its mark, was passed to `bytes`. */
  snapshotReceived(): void;
}

type Phase = 'reply' | 'frame' | 'counted' | 'marked' | 'stream';

export class PsyncFraming {
  readonly #listener: FramingListener;
  #phase: Phase = 'reply';
  #line = '';
  #bytesLeft = 0;
  #mark: Buffer = Buffer.alloc(0);
  /** The last MARK_BYTES received, for a mark that a chunk border cuts. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(listener: FramingListener) {
    this.#listener = listener;
  }

  /** @returns false when the receiver wants no more for now. @throws FerryError for what no source sends. */
  feed(bytes: Buffer): boolean {
    let at = 0;
    let wanted = true;
    while (at < bytes.length) {
      switch (this.#phase) {
        case 'reply':
        case 'frame':
          at = this.#takeLine(bytes, at);
          break;
        case 'counted': {
          const taken = Math.min(this.#bytesLeft, bytes.length - at);
          this.#bytesLeft -= taken;
          wanted = this.#listener.bytes(bytes.subarray(at, at + taken)) && wanted;
          at += taken;
          if (this.#bytesLeft === 0) this.#received();
          break;
        }
        case 'marked':
          wanted = this.#listener.bytes(bytes.subarray(at)) && wanted;
          if (this.#endsWithMark(bytes.subarray(at))) this.#received();
          at = bytes.length;
          break;
        case 'stream':
          wanted = this.#listener.bytes(bytes.subarray(at)) && wanted;
          at = bytes.length;
          break;
      }
    }
    return wanted;
  }

  #received(): void {
    this.#phase = 'stream';
    this.#tail = Buffer.alloc(0);
    this.#listener.snapshotReceived();
  }

  #takeLine(bytes: Buffer, from: number): number {
    if (this.#line === '' && bytes[from] === LF) {
      this.#listener.heartbeat();
      return from + 1;
    }
    const lineEnd = bytes.indexOf(LF, from);
    const end = lineEnd < 0 ? bytes.length : lineEnd;
    this.#line += bytes.toString('latin1', from, end);
    if (lineEnd < 0) {
      if (this.#line.length > LONGEST_LINE) throw this.#unexpected(this.#line.slice(0, 60));
      return bytes.length;
    }
    const line = this.#line.charCodeAt(this.#line.length - 1) === CR ? this.#line.slice(0, -1) : this.#line;
    this.#line = '';
    if (this.#phase === 'reply') this.#phase = this.#listener.replied(line) === 'snapshot' ? 'frame' : 'stream';
    else this.#beginSnapshot(line);
    return lineEnd + 1;
  }

  #beginSnapshot(line: string): void {
    if (line.startsWith('$EOF:') && line.length === 5 + MARK_BYTES) {
      this.#mark = Buffer.from(line.slice(5), 'latin1');
      this.#phase = 'marked';
      this.#listener.snapshotBegins({ kind: 'diskless', bytes: null, mark: this.#mark });
      return;
    }
    const length = /^\$(\d+)$/.exec(line)?.[1];
    if (length === undefined) throw this.#unexpected(line);
    this.#bytesLeft = Number(length);
    this.#phase = 'counted';
    this.#listener.snapshotBegins({ kind: 'disk', bytes: this.#bytesLeft, mark: null });
    if (this.#bytesLeft === 0) this.#received();
  }

  /**
   * Whether what was received so far ends with the mark. Only the very end is looked at: the source sends nothing
   * behind the mark before it has an acknowledgement, and the same bytes inside a value must not end the snapshot.
   */
  #endsWithMark(bytes: Buffer): boolean {
    if (bytes.length >= MARK_BYTES) {
      this.#tail = Buffer.from(bytes.subarray(bytes.length - MARK_BYTES));
    } else {
      this.#tail = Buffer.concat([this.#tail, bytes]).subarray(-MARK_BYTES);
    }
    return this.#tail.equals(this.#mark);
  }

  #unexpected(line: string): FerryError {
    return new FerryError(`The source sent "${line.replace(/[^\x20-\x7e]/g, '?')}" where its snapshot should begin.`, {
      code: 'psync',
    });
  }
}
