// Turns a key of the snapshot into one command: SET for a plain string (2.2 us of the target's time for 473 bytes),
// else RESTORE of the undecoded value (2.7 us), or of the value in an older encoding where the target is older. Both leave
// a key alone that is there already: the reply tells, and the conflict policy decides. A big value is not copied: it is
// sent from the buffer in which it arrived.
import type { ExpiryHold } from '../protocol/held-expiry.ts';
import { putBulk, putBulkNumber, putBytes, putDecimal, putLineEnd } from '../protocol/resp-encode.ts';
import { slotOf } from '../protocol/slot.ts';
import { WholeView } from '../rdb/byte-view.ts';
import { Crc64 } from '../rdb/crc64.ts';
import type { Loss } from '../rdb/encode-goal.ts';
import { FOOTER_BYTES, hasFieldExpiries, TYPE } from '../rdb/format.ts';
import type { HashTemplates } from '../rdb/hash-templates.ts';
import { LengthReader } from '../rdb/length.ts';
import type { AcceptedVersions } from '../rdb/payload-version.ts';
import { Reencoder } from '../rdb/reencode.ts';
import { type ValueWay, valueWays } from '../rdb/value-way.ts';
import type { ByteWindow } from '../readers/byte-window.ts';
import type { SnapshotEntry, SnapshotHeader, WriteManner } from '../readers/snapshot-sink.ts';
import type { NodeWriter } from './node-writer.ts';
import type { TargetNodes } from './target-nodes.ts';

/** From this size on a value is sent from where it stands instead of being copied into a batch. */
const SEND_IN_PLACE_BYTES = 256 * 1024;
/** Everything of a command but key and value: names, lengths, expiry, options. */
const FRAME_BYTES = 256;
const DOLLAR = 36;
const STAR = 42;

const SET = Buffer.from('*3\r\n$3\r\nSET\r\n');
const SET_NX = Buffer.from('*4\r\n$3\r\nSET\r\n');
const SET_PXAT = Buffer.from('*5\r\n$3\r\nSET\r\n');
const SET_NX_PXAT = Buffer.from('*6\r\n$3\r\nSET\r\n');
const UNLINK = Buffer.from('*2\r\n$6\r\nUNLINK\r\n');
const NX = Buffer.from('$2\r\nNX\r\n');
const PXAT = Buffer.from('$4\r\nPXAT\r\n');
const RESTORE = Buffer.from('$7\r\nRESTORE\r\n');
const ABSTTL = Buffer.from('$6\r\nABSTTL\r\n');
const REPLACE = Buffer.from('$7\r\nREPLACE\r\n');
const IDLETIME = Buffer.from('$8\r\nIDLETIME\r\n');
const FREQ = Buffer.from('$4\r\nFREQ\r\n');

export interface SnapshotWriterOptions {
  readonly accepted: AcceptedVersions;
  /** SET takes PXAT (6.2 and newer). */
  readonly setTakesExpiry: boolean;
  readonly hold: ExpiryHold;
  /** A value that this target can not hold as it was, and what of it was left out. */
  readonly lost: (loss: Loss) => void;
}

/** What became of a key: sent, nothing of it is left, to be written by commands, or why it can not be. */
export type WriteOutcome = 'sent' | 'nothing' | 'native' | { readonly impossible: string };

export class SnapshotWriter {
  manner: WriteManner = { replaces: false, isChange: false };
  readonly #nodes: TargetNodes;
  readonly #window: ByteWindow;
  readonly #options: SnapshotWriterOptions;
  readonly #crc = new Crc64();
  readonly #length = new LengthReader();
  readonly #reencoder: Reencoder;
  /** How each type goes, for the snapshot under way. */
  #ways: readonly ValueWay[] = [];
  #header: SnapshotHeader = { version: 0, dialect: 'redis' };
  #templates: HashTemplates | undefined;
  /** Source and target may disagree on how listpacks of certain lengths look: values are looked through for them. */
  #scans = false;
  /** Types that the target was seen to refuse: those go by commands. */
  readonly #native = new Uint8Array(256);

  constructor(nodes: TargetNodes, window: ByteWindow, options: SnapshotWriterOptions) {
    this.#nodes = nodes;
    this.#window = window;
    this.#options = options;
    this.#reencoder = new Reencoder(options.accepted, options.lost, (expiresAtMs) => options.hold.field(expiresAtMs));
  }

  begin(header: SnapshotHeader, templates: HashTemplates): void {
    this.#header = header;
    this.#templates = templates;
    this.#ways = valueWays(header, this.#options.accepted);
    this.#scans = mayWriteNarrow(header) || mayTakeNarrow(this.#options.accepted);
  }

  /** This type, or null for every type, goes by commands from now on. */
  goNative(type: number | null): void {
    if (type === null) this.#native.fill(1);
    else this.#native[type] = 1;
  }

  /** Why no way leads to the target for values of this type; null when there is one. */
  obstacle(type: number): string | null {
    const way = this.#ways[type];
    return way?.kind === 'impossible' ? way.reason : null;
  }

  write(entry: SnapshotEntry): WriteOutcome {
    const writer = this.#writerOf(entry.keyBytes, entry.keyStart, entry.keyLength);
    if (entry.type === TYPE.string && entry.idleSeconds < 0 && entry.frequency < 0) {
      const first = entry.parts[0];
      const body =
        first === undefined
          ? this.#length.read(entry.bytes, entry.valueStart, entry.valueEnd)
          : this.#length.read(first, 0, first.length);
      const plain = this.#length.encoding < 0;
      if (plain && (entry.expiresAtMs < 0 || this.#options.setTakesExpiry)) {
        if (first === undefined && entry.valueEnd - body < SEND_IN_PLACE_BYTES) this.#set(writer, entry, body);
        else this.#setInPlace(writer, entry, body, this.#length.value);
        return 'sent';
      }
    }
    if (this.#native[entry.type] === 1) return 'native';
    const way = this.#ways[entry.type] as ValueWay;
    switch (way.kind) {
      case 'restore':
        if (this.#scans && this.#isTreacherous(entry)) return this.#rewrite(writer, entry);
        if (this.#options.hold.fields && hasFieldExpiries(entry.type, this.#header.dialect))
          return this.#rewrite(writer, entry);
        if (entry.parts.length === 0 && entry.valueEnd - entry.valueStart < SEND_IN_PLACE_BYTES)
          this.#restore(writer, entry, entry.type, way.version, entry.bytes, entry.valueStart, entry.valueEnd);
        else this.#restoreInPlace(writer, entry, way.version);
        return 'sent';
      case 'rewrite':
        return this.#rewrite(writer, entry);
      case 'impossible':
        return { impossible: way.reason };
    }
  }

  /** Takes a key off the target. */
  remove(database: number, bytes: Buffer, start: number, length: number): void {
    const writer = this.#writerOf(bytes, start, length);
    const at = writer.reserve(length + FRAME_BYTES, database);
    const behindHead = putBytes(writer.out, at, UNLINK, 0, UNLINK.length);
    this.#commit(writer, putBulk(writer.out, behindHead, bytes, start, length));
  }

  /** The value in one piece, in a buffer of its own when it came in parts. */
  wholeValue(entry: SnapshotEntry): Buffer {
    const last = entry.bytes.subarray(entry.valueStart, entry.valueEnd);
    return entry.parts.length === 0 ? last : Buffer.concat([...entry.parts, last]);
  }

  #isTreacherous(entry: SnapshotEntry): boolean {
    const { type, parts, bytes, valueStart, valueEnd } = entry;
    const view =
      parts.length === 0 ? new WholeView(bytes, valueStart, valueEnd) : new WholeView(this.wholeValue(entry));
    return this.#reencoder.isTreacherous(type, this.#header.dialect, view);
  }

  #rewrite(writer: NodeWriter, entry: SnapshotEntry): WriteOutcome {
    const view = new WholeView(this.wholeValue(entry));
    const rewritten = this.#reencoder.rewrite(entry.type, this.#header.dialect, view, this.#templates);
    if (rewritten === null) return 'native';
    // All fields of a hash have expired: no server has such a key.
    if (rewritten.empty) return 'nothing';
    this.#restore(writer, entry, rewritten.type, rewritten.version, rewritten.bytes, 0, rewritten.length);
    return 'sent';
  }

  #set(writer: NodeWriter, entry: SnapshotEntry, valueStart: number): void {
    const length = entry.valueEnd - valueStart;
    let at = this.#setHead(writer, entry, length);
    at = putBulk(writer.out, at, entry.bytes, valueStart, length);
    this.#commit(writer, this.#putSetOptions(writer.out, at, entry));
  }

  /** @param bodyStart where the text begins, in the first part or in the window. */
  #setInPlace(writer: NodeWriter, entry: SnapshotEntry, bodyStart: number, length: number): void {
    const at = this.#setHead(writer, entry, 0);
    const value = this.#takeValue(entry);
    const [first, ...others] = value;
    const text =
      first === undefined
        ? []
        : [first.subarray(entry.parts.length > 0 ? bodyStart : bodyStart - entry.valueStart), ...others];
    const headEnd = putLengthLine(writer.out, at, length);
    const rest = Buffer.allocUnsafe(FRAME_BYTES);
    const restEnd = this.#putSetOptions(rest, putLineEnd(rest, 0), entry);
    this.#commitWithTail(writer, headEnd, [...text, rest.subarray(0, restEnd)]);
  }

  #setHead(writer: NodeWriter, entry: SnapshotEntry, room: number): number {
    const at = writer.reserve(entry.keyLength + FRAME_BYTES + room, entry.database);
    const expires = entry.expiresAtMs >= 0;
    const head = this.manner.replaces ? (expires ? SET_PXAT : SET) : expires ? SET_NX_PXAT : SET_NX;
    const behindHead = putBytes(writer.out, at, head, 0, head.length);
    return putBulk(writer.out, behindHead, entry.keyBytes, entry.keyStart, entry.keyLength);
  }

  /** @param bytes where the value stands, from `start` to `end`. */
  #restore(
    writer: NodeWriter,
    entry: SnapshotEntry,
    type: number,
    version: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    const length = end - start;
    const payload = this.#restoreHead(writer, entry, length, length);
    const out = writer.out;
    out[payload] = type;
    let at = putBytes(out, payload + 1, bytes, start, length);
    out[at] = version & 255;
    out[at + 1] = version >> 8;
    at += 2;
    this.#crc.reset();
    this.#crc.update(out, payload, at);
    at = putLineEnd(out, this.#crc.writeTo(out, at));
    this.#commit(writer, this.#putRestoreOptions(out, at, entry));
  }

  #restoreInPlace(writer: NodeWriter, entry: SnapshotEntry, version: number): void {
    const value = this.#takeValue(entry);
    const length = value.reduce((sum, part) => sum + part.length, 0);
    const payload = this.#restoreHead(writer, entry, length, 0);
    writer.out[payload] = entry.type;
    this.#crc.reset();
    this.#crc.update(writer.out, payload, payload + 1);
    for (const part of value) this.#crc.update(part, 0, part.length);
    const rest = Buffer.allocUnsafe(FRAME_BYTES);
    rest.writeUInt16LE(version, 0);
    this.#crc.update(rest, 0, 2);
    const restEnd = this.#putRestoreOptions(rest, putLineEnd(rest, this.#crc.writeTo(rest, 2)), entry);
    this.#commitWithTail(writer, payload + 1, [...value, rest.subarray(0, restEnd)]);
  }

  /** Writes everything up to the payload; gives the place for its first byte. */
  #restoreHead(writer: NodeWriter, entry: SnapshotEntry, length: number, room: number): number {
    let at = writer.reserve(entry.keyLength + FRAME_BYTES + room, entry.database);
    const out = writer.out;
    const expires = entry.expiresAtMs >= 0;
    const attribute = entry.idleSeconds >= 0 || entry.frequency >= 0;
    out[at] = STAR;
    at = putLineEnd(
      out,
      putDecimal(out, at + 1, 4 + (expires ? 1 : 0) + (attribute ? 2 : 0) + (this.manner.replaces ? 1 : 0)),
    );
    at = putBytes(out, at, RESTORE, 0, RESTORE.length);
    at = putBulk(out, at, entry.keyBytes, entry.keyStart, entry.keyLength);
    at = putBulkNumber(out, at, expires ? this.#options.hold.key(entry.expiresAtMs) : 0);
    return putLengthLine(out, at, 1 + length + FOOTER_BYTES);
  }

  #writerOf(key: Buffer, start: number, length: number): NodeWriter {
    return this.#nodes.cluster ? this.#nodes.ofSlot(slotOf(key, start, length)) : this.#nodes.first;
  }

  #commit(writer: NodeWriter, end: number): void {
    if (this.manner.isChange) writer.commit(end, 0, 1);
    else writer.commit(end, 1, 0);
  }

  #commitWithTail(writer: NodeWriter, end: number, tail: readonly Buffer[]): void {
    if (this.manner.isChange) writer.commitWithTail(end, tail, 0, 1);
    else writer.commitWithTail(end, tail, 1, 0);
  }

  #putSetOptions(out: Uint8Array, from: number, entry: SnapshotEntry): number {
    const expiresAtMs = this.#options.hold.key(entry.expiresAtMs);
    const at = this.manner.replaces ? from : putBytes(out, from, NX, 0, NX.length);
    if (expiresAtMs < 0) return at;
    return putBulkNumber(out, putBytes(out, at, PXAT, 0, PXAT.length), expiresAtMs);
  }

  #putRestoreOptions(out: Uint8Array, from: number, entry: SnapshotEntry): number {
    const at = this.manner.replaces ? putBytes(out, from, REPLACE, 0, REPLACE.length) : from;
    return putRestoreOptions(out, at, entry);
  }

  /** The value's bytes as buffers to keep: its parts, and what stands in the window, with the window's buffer. */
  #takeValue(entry: SnapshotEntry): Buffer[] {
    const last = entry.bytes.subarray(entry.valueStart, entry.valueEnd);
    if (last.length < SEND_IN_PLACE_BYTES) return [...entry.parts, Buffer.from(last)];
    this.#window.detach(entry.valueEnd);
    return [...entry.parts, last];
  }
}

/**
 * Servers write the length behind a listpack's entry of 16383 bytes, and a few others, in two ways, and a target that
 * knows the other way refuses the value or ends (rdb/encode-border.ts). Valkey 9 is of the newer way, Redis 8.8 may be.
 */
function mayWriteNarrow({ version, dialect }: SnapshotHeader): boolean {
  return dialect === 'valkey' || version >= FIRST_OF_REDIS_8_8;
}

function mayTakeNarrow({ redis, valkey }: AcceptedVersions): boolean {
  return valkey > 0 || redis >= FIRST_OF_REDIS_8_8;
}

const FIRST_OF_REDIS_8_8 = 14;

/** `$<length>\r\n`; gives the place behind it. */
function putLengthLine(out: Uint8Array, at: number, length: number): number {
  out[at] = DOLLAR;
  return putLineEnd(out, putDecimal(out, at + 1, length));
}

function putRestoreOptions(out: Uint8Array, from: number, entry: SnapshotEntry): number {
  let at = from;
  if (entry.expiresAtMs >= 0) at = putBytes(out, at, ABSTTL, 0, ABSTTL.length);
  if (entry.idleSeconds >= 0)
    at = putBulkNumber(out, putBytes(out, at, IDLETIME, 0, IDLETIME.length), entry.idleSeconds);
  else if (entry.frequency >= 0) at = putBulkNumber(out, putBytes(out, at, FREQ, 0, FREQ.length), entry.frequency);
  return at;
}

/** The same write once more, over the key that is there. */
export function overwriting(args: readonly Buffer[]): (string | Buffer)[] {
  return args[0]?.toString('latin1') === 'SET'
    ? args.filter((arg, index) => index < 3 || arg.toString('latin1') !== 'NX')
    : [...args, 'REPLACE'];
}
