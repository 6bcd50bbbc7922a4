// Writes a snapshot as JSON lines: one key a line with its typed value, big values over several lines. docs/jsonl.md is
// the description for people; readers/jsonl-parser.ts reads it again.
import { WholeView } from '../../rdb/byte-view.ts';
import { Crc64 } from '../../rdb/crc64.ts';
import { canDecode, decodeWhole } from '../../rdb/decode.ts';
import { type Dialect, FOOTER_BYTES, TYPE } from '../../rdb/format.ts';
import { freePart } from '../../rdb/free-part.ts';
import type { HashTemplates } from '../../rdb/hash-templates.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotHeader, SnapshotSink } from '../../readers/snapshot-sink.ts';
import type { FileOutput } from './file-output.ts';
import { JsonlLine, LINE_LIMIT_BYTES } from './jsonl-line.ts';
import { JsonlPieces } from './jsonl-pieces.ts';
import { JsonlValueWriter } from './jsonl-value.ts';

/** The version of the format, in its first line. */
export const JSONL_VERSION = 1;
/** Reading lines of this size needs 100 MB less than lines of 1 MB do, and is faster: what JSON.parse makes of them is short-lived. */
const DEFAULT_PART_BYTES = 128 * 1024;

export interface JsonlFileOptions {
  /** A value whose line has this many bytes goes on in another; at least 16. */
  readonly partBytes?: number;
  /** A sentence about what the file does not hold, or what can not be read from it again. */
  readonly onLoss?: (what: string) => void;
}

export class JsonlFile implements SnapshotSink {
  readonly #output: FileOutput;
  readonly #line: JsonlLine;
  readonly #pieces: JsonlPieces;
  readonly #values: JsonlValueWriter;
  readonly #onLoss: (what: string) => void;
  readonly #crc = new Crc64();
  #header: SnapshotHeader = { version: 0, dialect: 'redis' };
  #templates: HashTemplates | undefined;
  #longLineSaid = false;
  #idempotencySaid = false;

  constructor(output: FileOutput, options: JsonlFileOptions = {}) {
    const partBytes = options.partBytes ?? DEFAULT_PART_BYTES;
    this.#output = output;
    this.#line = new JsonlLine(output, partBytes);
    this.#pieces = new JsonlPieces(this.#line, partBytes);
    this.#values = new JsonlValueWriter(this.#line, this.#pieces, () => this.#endLine());
    this.#onLoss = options.onLoss ?? (() => {});
  }

  get saturated(): boolean {
    return this.#output.saturated;
  }

  header(header: SnapshotHeader, templates: HashTemplates): void {
    this.#header = header;
    this.#templates = templates;
    this.#line.ascii(
      `{"redferry":"jsonl","version":${JSONL_VERSION},"rdb":${header.version},"dialect":"${header.dialect}"}\n`,
    );
  }

  entry(entry: SnapshotEntry): void {
    const { type, parts, bytes, valueStart, valueEnd } = entry;
    const { dialect } = this.#header;
    if (!canDecode(type, dialect)) {
      this.#dump(entry);
      return;
    }
    this.#beginDecoded(entry);
    const view =
      parts.length === 0
        ? new WholeView(bytes, valueStart, valueEnd)
        : new WholeView(Buffer.concat([...parts, bytes.subarray(valueStart, valueEnd)]));
    decodeWhole(type, dialect, view, this.#values, this.#templates);
  }

  beginBig(entry: SnapshotEntry): BigValueTaker {
    if (canDecode(entry.type, this.#header.dialect)) {
      this.#beginDecoded(entry);
      return { kind: 'decoded', sink: this.#values };
    }
    this.#beginDump(entry, null);
    return {
      kind: 'raw',
      part: (bytes) => {
        this.#takeDump(bytes, 0, bytes.length);
        freePart(bytes);
      },
      end: () => this.#endDump(),
    };
  }

  announcedKeys(): void {}

  /** Scripts of sources before 7.0 stand in the snapshot; what else does is about the server that wrote it. */
  aux(name: string, value: Buffer): void {
    if (name === 'lua') this.#ownLine('{"script":', Buffer.from(value));
  }

  functionLibrary(code: Buffer): void {
    this.#ownLine('{"function":', code);
  }

  leftOut(what: string): void {
    this.#onLoss(`JSON lines do not hold ${what}.`);
  }

  /** @throws FerryError `file` */
  async finish(): Promise<void> {
    await this.#output.finish();
  }

  /** The line up to the value's type, which the decoder knows. */
  #beginKey(entry: SnapshotEntry): void {
    const line = this.#line;
    line.begin();
    line.ascii('{"db":');
    line.number(entry.database);
    line.ascii(',"key":');
    line.string(entry.keyBytes, entry.keyStart, entry.keyStart + entry.keyLength);
    this.#attribute(',"expiresAtMs":', entry.expiresAtMs);
    this.#attribute(',"idleSeconds":', entry.idleSeconds);
    this.#attribute(',"frequency":', entry.frequency);
  }

  #beginDecoded(entry: SnapshotEntry): void {
    this.#beginKey(entry);
    const { type } = entry;
    if (this.#idempotencySaid || this.#header.dialect !== 'redis') return;
    if (type !== TYPE.streamListpacks4 && type !== TYPE.streamListpacks5) return;
    this.#idempotencySaid = true;
    this.leftOut('what makes the same entry of a producer one entry of a stream (IDMP of Redis 8.6)');
  }

  #attribute(name: string, value: number): void {
    if (value === -1) return;
    this.#line.ascii(name);
    this.#line.number(value);
  }

  #dump(entry: SnapshotEntry): void {
    const { parts, bytes, valueStart, valueEnd } = entry;
    const valueBytes = parts.reduce((sum, part) => sum + part.length, valueEnd - valueStart);
    this.#beginDump(entry, 1 + valueBytes + FOOTER_BYTES);
    for (const part of parts) this.#takeDump(part, 0, part.length);
    this.#takeDump(bytes, valueStart, valueEnd);
    this.#endDump();
  }

  /** A value whose elements nobody knows is kept as the payload that DUMP gives for it. */
  #beginDump(entry: SnapshotEntry, bytes: number | null): void {
    this.#beginKey(entry);
    this.#line.type(opaqueKind(entry.type, this.#header.dialect));
    this.#pieces.begin(true, bytes);
    this.#crc.reset();
    this.#takeDump(Buffer.of(entry.type), 0, 1);
  }

  #takeDump(bytes: Buffer, start: number, end: number): void {
    this.#crc.update(bytes, start, end);
    this.#pieces.take(bytes, start, end);
  }

  #endDump(): void {
    const footer = Buffer.alloc(FOOTER_BYTES);
    footer.writeUInt16LE(this.#header.version, 0);
    this.#crc.update(footer, 0, 2);
    this.#crc.writeTo(footer, 2);
    this.#pieces.take(footer, 0, footer.length);
    this.#pieces.end();
    this.#endLine();
  }

  #endLine(): void {
    this.#line.end();
    if (this.#line.length <= LINE_LIMIT_BYTES || this.#longLineSaid) return;
    this.#longLineSaid = true;
    this.#onLoss(
      `A line of ${this.#line.length} bytes was written, since one element is that large: redferry reads JSON lines of up to ${LINE_LIMIT_BYTES} bytes.`,
    );
  }

  #ownLine(head: string, text: Buffer): void {
    this.#line.begin();
    this.#line.ascii(head);
    this.#line.string(text, 0, text.length);
    this.#line.end();
  }
}

function opaqueKind(type: number, dialect: Dialect): string {
  if (type === TYPE.module2) return 'module';
  return type === TYPE.array && dialect === 'redis' ? 'array' : 'opaque';
}
