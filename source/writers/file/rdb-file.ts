// Writes a snapshot as an RDB file that servers load: each value as its undecoded bytes, or in an older encoding when the
// file is to be of an older version. Source: rdbSaveRio and rdbLoadRio of Redis 7.0.
import { putBytes } from '../../protocol/resp-encode.ts';
import { WholeView } from '../../rdb/byte-view.ts';
import { canDecode } from '../../rdb/decode.ts';
import type { Loss } from '../../rdb/encode-goal.ts';
import { type Dialect, OPCODE, TYPE } from '../../rdb/format.ts';
import { freePart } from '../../rdb/free-part.ts';
import type { HashTemplates } from '../../rdb/hash-templates.ts';
import type { AcceptedVersions } from '../../rdb/payload-version.ts';
import { Reencoder } from '../../rdb/reencode.ts';
import { type ValueWay, valueWays } from '../../rdb/value-way.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotHeader, SnapshotSink } from '../../readers/snapshot-sink.ts';
import type { FileOutput } from './file-output.ts';
import { RdbChecksum } from './rdb-checksum.ts';
import { plainLayout } from './rdb-layout.ts';
import { KEY_HEAD_BYTES, magic, putKeyHead, putLength, stringRecord } from './rdb-record.ts';
import { RdbValueWriter } from './rdb-value.ts';

/** The lowest version that is written: that of Redis 2.6, which loads all that is older. */
const LEAST_VERSION = 6;
/** First versions with AUX, with IDLE and FREQ, and with FUNCTION2. */
const FIRST_WITH_AUX = 7;
const FIRST_WITH_ATTRIBUTES = 9;
const FIRST_WITH_FUNCTIONS = 10;
/** First version of Valkey's own numbering, in which its files begin VALKEY instead of REDIS. */
const FIRST_OF_VALKEY = 80;
/** Redis's last version that Valkey's files may hold values of. */
const LAST_SHARED = 11;
/** The last version without hash templates, which a file would have to define first. */
const LAST_WITHOUT_TEMPLATES = 14;
/** Up to this size a key and its value are copied in one go. */
const SMALL_BYTES = 64 * 1024;
/** About the replication of the source, or about the file that this was read from. */
const AUX_LEFT_OUT = /^(?:repl-|aof-)/;

export interface RdbFileOptions {
  /** RDB version of the file, 9 or higher; by default the source's. */
  readonly version?: number;
  /** The file is the head of an append-only file. */
  readonly preamble?: boolean;
  /** The source has no encoded values to copy, as JSON lines have none: big ones come element by element. */
  readonly decoded?: boolean;
}

/** Who is told what does not get into the file. */
export interface RdbFileHost {
  /** A value lost something in its older encoding. */
  lost(loss: Loss): void;
  /** The file has no place for it. */
  leftOut(what: string): void;
  /** This key is not in the file. */
  refused(database: number, key: Buffer, reason: string): void;
}

export class RdbFile implements SnapshotSink {
  readonly #output: FileOutput;
  readonly #options: RdbFileOptions;
  readonly #host: RdbFileHost;
  readonly #checksum = new RdbChecksum();
  readonly #values: RdbValueWriter;
  #reencoder: Reencoder;
  #source: SnapshotHeader = { version: 0, dialect: 'redis' };
  #templates: HashTemplates | undefined;
  /** Of the file; 0 before the header. */
  #version = 0;
  #dialect: Dialect = 'redis';
  /** How the values of each type get into a file of another version; null when it is of the source's. */
  #ways: readonly ValueWay[] | null = null;
  #database = -1;

  constructor(output: FileOutput, host: RdbFileHost, options: RdbFileOptions = {}) {
    this.#output = output;
    this.#host = host;
    this.#options = options;
    this.#values = new RdbValueWriter(output, this.#checksum, (loss) => host.lost(loss));
    this.#reencoder = this.#makeReencoder({ redis: LAST_WITHOUT_TEMPLATES, valkey: 0 });
  }

  get saturated(): boolean {
    return this.#output.saturated;
  }

  header(header: SnapshotHeader, templates: HashTemplates): void {
    this.#source = header;
    this.#templates = templates;
    const { version, preamble } = this.#options;
    this.#version = version ?? Math.max(LEAST_VERSION, header.version);
    this.#dialect = this.#version >= FIRST_OF_VALKEY ? 'valkey' : 'redis';
    if (version !== undefined) {
      const goal = this.#dialect === 'valkey' ? { redis: LAST_SHARED, valkey: version } : { redis: version, valkey: 0 };
      this.#ways = valueWays(header, goal);
      this.#reencoder = this.#makeReencoder(goal);
    }
    this.#output.observe((bytes, start, end) => this.#checksum.update(bytes, start, end));
    this.#append(Buffer.from(magic(this.#version, this.#dialect)));
    if (preamble === true) this.#append(auxRecord('aof-preamble', Buffer.from('1')));
  }

  entry(entry: SnapshotEntry): void {
    const way = this.#way(entry.type);
    switch (way.kind) {
      case 'restore':
        this.#copy(entry);
        return;
      case 'rewrite':
        this.#rewrite(entry);
        return;
      case 'impossible':
        this.#refuse(entry, way.reason);
        return;
    }
  }

  beginBig(entry: SnapshotEntry): BigValueTaker {
    const way = this.#way(entry.type);
    if (way.kind === 'impossible') {
      this.#refuse(entry, way.reason);
      return { kind: 'skip', skipped: () => {} };
    }
    const decoded = this.#options.decoded === true && canDecode(entry.type, this.#source.dialect);
    if (way.kind === 'restore' && !decoded) return this.#copyBig(entry);
    if (hasIdempotency(entry.type, this.#source.dialect)) this.#host.lost('idempotency');
    const layout = plainLayout(entry.type, this.#source.dialect, this.#version);
    this.#head(entry, layout.type);
    this.#values.expect(layout);
    return { kind: 'decoded', sink: this.#values };
  }

  announcedKeys(): void {}

  aux(name: string, value: Buffer): void {
    if (this.#version >= FIRST_WITH_AUX && !AUX_LEFT_OUT.test(name)) this.#append(auxRecord(name, value));
  }

  functionLibrary(code: Buffer): void {
    if (this.#version >= FIRST_WITH_FUNCTIONS) this.#append(stringRecord(OPCODE.function2, [code]));
    else this.#host.leftOut(`function libraries, which RDB version ${this.#version} has no place for`);
  }

  leftOut(what: string): void {
    this.#host.leftOut(what);
  }

  /** Everything of the snapshot was taken: writes the end mark and the checksum, if anything came at all. */
  end(): void {
    if (this.#version === 0) return;
    this.#append(Buffer.of(OPCODE.eof));
    this.#output.observe(null);
    const checksum = Buffer.alloc(8);
    checksum.writeBigUInt64LE(this.#checksum.value(this.#output.position));
    this.#append(checksum);
  }

  /**
   * Ends the file; not for a preamble, which an AofFile goes on behind.
   * @throws FerryError `file`
   */
  async finish(): Promise<void> {
    this.end();
    await this.#output.finish();
  }

  #makeReencoder(goal: AcceptedVersions): Reencoder {
    return new Reencoder(goal, (loss) => this.#host.lost(loss));
  }

  #way(type: number): ValueWay {
    if (this.#ways !== null) return this.#ways[type] ?? COPY;
    const byTemplate = type === TYPE.hashTemplateListpackRef || type === TYPE.hashTemplateArrayRef;
    return byTemplate && this.#source.dialect === 'redis' ? REWRITE : COPY;
  }

  /** Writes what stands before the value. */
  #head(entry: SnapshotEntry, type: number): void {
    const output = this.#output;
    if (entry.database !== this.#database) this.#select(entry.database);
    const at = output.reserve(KEY_HEAD_BYTES);
    output.commit(putKeyHead(output.out, at, entry, type, this.#version >= FIRST_WITH_ATTRIBUTES));
    output.append(entry.keyBytes, entry.keyStart, entry.keyStart + entry.keyLength);
  }

  #select(database: number): void {
    const record = Buffer.alloc(10);
    record[0] = OPCODE.selectDb;
    this.#append(record.subarray(0, putLength(record, 1, database)));
    this.#database = database;
  }

  #copy(entry: SnapshotEntry): void {
    const { keyBytes, keyStart, keyLength, bytes, valueStart } = entry;
    const output = this.#output;
    const length = entry.valueEnd - valueStart;
    if (entry.parts.length > 0 || keyLength + length > SMALL_BYTES || entry.database !== this.#database) {
      this.#copyLarge(entry);
      return;
    }
    const at = output.reserve(KEY_HEAD_BYTES + keyLength + length);
    const out = output.out;
    const key = putKeyHead(out, at, entry, entry.type, this.#version >= FIRST_WITH_ATTRIBUTES);
    const value = putBytes(out, key, keyBytes, keyStart, keyLength);
    output.commit(putBytes(out, value, bytes, valueStart, length));
  }

  #copyLarge(entry: SnapshotEntry): void {
    this.#head(entry, entry.type);
    for (const part of entry.parts) this.#appendPart(part);
    this.#output.append(entry.bytes, entry.valueStart, entry.valueEnd);
  }

  #copyBig(entry: SnapshotEntry): BigValueTaker {
    this.#head(entry, entry.type);
    return { kind: 'raw', part: (bytes) => this.#appendPart(bytes), end: () => {} };
  }

  #rewrite(entry: SnapshotEntry): void {
    const { parts, bytes, valueStart, valueEnd } = entry;
    const view =
      parts.length === 0
        ? new WholeView(bytes, valueStart, valueEnd)
        : new WholeView(Buffer.concat([...parts, bytes.subarray(valueStart, valueEnd)]));
    const rewritten = this.#reencoder.rewrite(entry.type, this.#source.dialect, view, this.#templates);
    if (rewritten === null) {
      this.#refuse(entry, `RDB version ${this.#version} has no encoding for its type`);
      return;
    }
    // All its fields have expired: servers have no such key.
    if (rewritten.empty) return;
    this.#head(entry, rewritten.type);
    this.#output.append(rewritten.bytes, 0, rewritten.length);
  }

  #refuse({ database, keyBytes, keyStart, keyLength }: SnapshotEntry, reason: string): void {
    this.#host.refused(database, Buffer.from(keyBytes.subarray(keyStart, keyStart + keyLength)), reason);
  }

  #append(bytes: Buffer): void {
    this.#output.append(bytes, 0, bytes.length);
  }

  #appendPart(part: Buffer): void {
    this.#append(part);
    freePart(part);
  }
}

const COPY: ValueWay = { kind: 'restore', version: 0 };
const REWRITE: ValueWay = { kind: 'rewrite' };

/** Whether the type's layout holds what no decoded stream does. */
function hasIdempotency(type: number, dialect: Dialect): boolean {
  return dialect === 'redis' && (type === TYPE.streamListpacks4 || type === TYPE.streamListpacks5);
}

function auxRecord(name: string, value: Buffer): Buffer {
  return stringRecord(OPCODE.aux, [Buffer.from(name), value]);
}
