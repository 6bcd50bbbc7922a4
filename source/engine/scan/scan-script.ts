// What a pump does with the values that a scan delivers: each goes to the target as an entry of a snapshot does, and a key
// that the source no longer has goes from the target. Keys that this run wrote are replaced; others are conflicts.

import { FOOTER_BYTES, TYPE } from '../../rdb/format.ts';
import { HashTemplates } from '../../rdb/hash-templates.ts';
import { FIRST_VALKEY_VERSION } from '../../rdb/payload-version.ts';
import type { ValueKind, ValueSink } from '../../rdb/value-sink.ts';
import { MutableEntry, NO_PARTS } from '../../readers/mutable-entry.ts';
import type { BigOutcome } from '../../readers/scan/big-key.ts';
import type { FetchLane } from '../../readers/scan/fetch-lanes.ts';
import { type FetchedValues, FOUND } from '../../readers/scan/fetched-values.ts';
import type { Delivery } from '../../readers/scan/scan-reader.ts';
import type { PumpScript } from '../shard/pump-script.ts';
import type { ShardTarget } from '../shard/shard-target.ts';
import type { WrittenKeys } from './written-keys.ts';

export interface ScanScriptHost {
  readonly target: ShardTarget;
  /** Which keys of the target are the run's. */
  readonly written: WrittenKeys;
  /** Where a database of the source goes. */
  databaseOf(database: number): number;
  refused(database: number, args: readonly Buffer[], reason: string): void;
  /** Reads a big value by elements. */
  readBig(
    lane: FetchLane,
    database: number,
    key: Buffer,
    begin: (kind: ValueKind, expiresAtMs: number) => ValueSink | null,
    room: (sink: ValueSink) => Promise<void>,
  ): Promise<BigOutcome>;
  /** A stream was met. */
  stream(database: number, key: Buffer): void;
  /** The key has to be fetched once more. */
  again(database: number, key: Buffer): void;
  /** The pump can go on. */
  run(): void;
  failed(error: unknown): void;
  /** The scan and everything before it has taken effect. */
  snapshotApplied(): void;
}

/** From this size on the writer keeps a value instead of copying it, so that it needs a buffer of its own. */
const OWN_BUFFER_BYTES = 256 * 1024;
/** What a payload's version is taken for before the first one was seen; it decides nothing about big values. */
const FIRST_VERSION = 9;

const STREAMS: ReadonlySet<number> = new Set([
  TYPE.streamListpacks,
  TYPE.streamListpacks2,
  TYPE.streamListpacks3,
  TYPE.streamListpacks4,
  TYPE.streamListpacks5,
]);

/** The type numbers under which values that come by elements are known to the target's side. */
const TYPE_OF: Readonly<Record<ValueKind, number>> = {
  string: TYPE.string,
  list: TYPE.list,
  set: TYPE.set,
  zset: TYPE.zset2,
  hash: TYPE.hash,
  stream: TYPE.streamListpacks,
};

export class ScanScript implements PumpScript {
  inStream = false;
  finished = false;
  settling = false;
  readonly streamPosition = 0;
  readonly historyStart = 0;
  readonly moved = { bytes: 0, operations: 0 };
  readonly #host: ScanScriptHost;
  readonly #queue: Delivery[] = [];
  readonly #entry = new MutableEntry();
  #version = -1;
  #scanned = false;
  #bigUnderWay = false;
  #waiters: (() => void)[] = [];

  constructor(host: ScanScriptHost) {
    this.#host = host;
  }

  /** Groups of values that are not with the target yet. */
  get unread(): number {
    return this.#queue.length + (this.#bigUnderWay ? 1 : 0);
  }

  add(delivery: Delivery): void {
    this.#queue.push(delivery);
    this.#host.run();
  }

  /** The scan has given all its keys: when they have taken effect, the snapshot has. */
  scanned(): void {
    this.#scanned = true;
    this.settling = true;
    this.#host.run();
  }

  step(): boolean {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
    const delivery = this.#queue[0];
    if (delivery === undefined || this.#bigUnderWay) return false;
    const { target } = this.#host;
    const { values } = delivery;
    while (delivery.at < values.count) {
      if (target.saturated || !this.#take(delivery, values.places[delivery.at] as number)) return false;
      delivery.at++;
      this.moved.operations++;
      if (this.#bigUnderWay) return false;
    }
    this.#queue.shift();
    delivery.done();
    return true;
  }

  settled(): void {
    this.settling = false;
    this.#host.written.confirm();
    if (!this.#scanned) return;
    this.#scanned = false;
    this.inStream = true;
    this.#host.snapshotApplied();
  }

  rewind(): void {}

  /** Whether a key is on the target by this run. */
  isOwn(database: number, key: Buffer): boolean {
    return this.#host.written.standing(this.#host.databaseOf(database), key, 0, key.length) === 'own';
  }

  /** false: not yet, everything written before must take effect first. */
  #take(delivery: Delivery, place: number): boolean {
    const { values } = delivery;
    const { keys } = values;
    const start = keys.start(place);
    const length = keys.end(place) - start;
    const { isChange, database } = keys;
    switch (values.found[place]) {
      case FOUND.text:
      case FOUND.payload: {
        const replaces = this.#mayReplace(database, keys.bytes, start, length);
        if (replaces === null) return false;
        this.#host.target.setManner({ replaces, isChange });
        this.#write(values, place);
        return true;
      }
      case FOUND.gone:
        // A key that vanished during the scan was never written; one that changed may have been.
        return isChange ? this.#remove(database, keys.bytes, start, length) : true;
      case FOUND.big:
        return this.#takeBig(delivery, place);
      case FOUND.refused:
        this.#host.refused(database, [Buffer.from('DUMP'), keys.key(place)], values.reasons.get(place) ?? '');
        return true;
      default:
        // Its slot is another shard's now, which is told of it by an event or by the slot's coming.
        return true;
    }
  }

  /** null: it was sent as a key that may be there already, and that is not answered yet. */
  #mayReplace(database: number, bytes: Buffer, start: number, length: number): boolean | null {
    const { written } = this.#host;
    const there = this.#host.databaseOf(database);
    switch (written.standing(there, bytes, start, length)) {
      case 'own':
        return true;
      case 'sent':
        this.settling = true;
        return null;
      case 'unknown':
        written.send(there, bytes, start, length);
        return false;
    }
  }

  /** The target's own key was left where it is. @param database of the target. */
  leftAlone(database: number, key: Buffer): void {
    this.#host.written.leave(database, key);
  }

  #remove(database: number, bytes: Buffer, start: number, length: number): boolean {
    const standing = this.#host.written.standing(this.#host.databaseOf(database), bytes, start, length);
    if (standing === 'sent') {
      this.settling = true;
      return false;
    }
    if (standing === 'unknown') return true;
    this.#host.target.setManner({ replaces: true, isChange: true });
    this.#host.target.remove(database, bytes, start, length);
    return true;
  }

  #write(values: FetchedValues, place: number): void {
    const entry = this.#entry;
    const { keys } = values;
    const bytes = (values.replies[values.reply[place] as number] as { bytes: Buffer }).bytes;
    const start = values.start[place] as number;
    const end = values.end[place] as number;
    this.moved.bytes += end - start;
    entry.forgetAttributes();
    entry.database = keys.database;
    entry.keyBytes = keys.bytes;
    entry.keyStart = keys.start(place);
    entry.keyLength = keys.end(place) - entry.keyStart;
    entry.expiresAtMs = values.expiresAtMs[place] as number;
    entry.bytes = bytes;
    if (values.found[place] === FOUND.text) {
      // No payload has said yet of which version the source is; it is RESTOREd where SET takes no expiry (before 6.2).
      if (this.#version < 0) this.#begin(FIRST_VERSION);
      entry.type = TYPE.string;
      entry.valueStart = putLength(bytes, start, end - start);
      entry.valueEnd = end;
    } else {
      entry.type = bytes[start] as number;
      entry.valueStart = start + 1;
      entry.valueEnd = end - FOOTER_BYTES;
      const version = bytes.readUInt16LE(entry.valueEnd);
      if (version !== this.#version) this.#begin(version);
      if (STREAMS.has(entry.type)) this.#host.stream(keys.database, keys.key(place));
    }
    if (entry.valueEnd - entry.valueStart >= OWN_BUFFER_BYTES) detach(entry);
    this.#host.target.sink.entry(entry);
    entry.parts = NO_PARTS;
  }

  #begin(version: number): void {
    this.#version = version;
    const dialect = version >= FIRST_VALKEY_VERSION ? 'valkey' : 'redis';
    this.#host.target.sink.header({ version, dialect }, new HashTemplates());
  }

  #takeBig(delivery: Delivery, place: number): boolean {
    const { target } = this.#host;
    // It goes over a link of its own: what was written before to its key must be there first.
    if (!target.idle) {
      this.settling = true;
      return false;
    }
    const { keys } = delivery.values;
    const { database, isChange } = keys;
    const key = keys.key(place);
    const replaces = this.#mayReplace(database, key, 0, key.length);
    if (replaces === null) return false;
    if (this.#version < 0) this.#begin(FIRST_VERSION);
    this.#bigUnderWay = true;
    const begin = (kind: ValueKind, expiresAtMs: number): ValueSink | null => {
      target.setManner({ replaces, isChange });
      if (kind === 'stream') this.#host.stream(database, key);
      return this.#beginBig(database, key, kind, expiresAtMs);
    };
    this.#host
      .readBig(delivery.lane, database, key, begin, (sink) => this.#room(sink))
      .then(
        (outcome) => this.#bigRead(outcome, database, key, isChange),
        (error: unknown) => this.#host.failed(error),
      );
    return true;
  }

  #beginBig(database: number, key: Buffer, kind: ValueKind, expiresAtMs: number): ValueSink | null {
    const entry = this.#entry;
    entry.forgetAttributes();
    entry.database = database;
    entry.keyBytes = key;
    entry.keyStart = 0;
    entry.keyLength = key.length;
    entry.type = TYPE_OF[kind];
    entry.expiresAtMs = expiresAtMs;
    entry.valueStart = 0;
    entry.valueEnd = 0;
    const taker = this.#host.target.sink.beginBig(entry);
    if (taker.kind === 'decoded') return taker.sink;
    if (taker.kind === 'skip') taker.skipped(0);
    return null;
  }

  #bigRead(outcome: BigOutcome, database: number, key: Buffer, isChange: boolean): void {
    this.#bigUnderWay = false;
    if (outcome === 'changed') this.#host.again(database, key);
    if (outcome === 'gone' && isChange) this.#host.again(database, key);
    if (outcome === 'refused')
      this.#host.refused(
        database,
        [Buffer.from('DUMP'), key],
        'a value of its type and size can not be read by elements',
      );
    this.#host.run();
  }

  async #room(sink: ValueSink): Promise<void> {
    while (sink.saturated) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
  }
}

/** Writes the length of an RDB string before its text, over the head of the reply that is there; gives where it begins. */
function putLength(bytes: Buffer, text: number, length: number): number {
  if (length < 64) {
    bytes[text - 1] = length;
    return text - 1;
  }
  if (length < 16_384) {
    bytes[text - 2] = 0x40 | (length >> 8);
    bytes[text - 1] = length & 255;
    return text - 2;
  }
  bytes[text - 5] = 0x80;
  bytes.writeUInt32BE(length, text - 4);
  return text - 5;
}

/** The writer keeps such a value until the target has it, and then frees its buffer. */
function detach(entry: MutableEntry): void {
  const own = Buffer.allocUnsafeSlow(entry.valueEnd - entry.valueStart);
  entry.bytes.copy(own, 0, entry.valueStart, entry.valueEnd);
  entry.parts = [own];
  entry.bytes = own.subarray(0, 0);
  entry.valueStart = 0;
  entry.valueEnd = 0;
}
