// What a value is, whatever its encoding: its kind, how many elements, a digest that two encodings of one value share, and
// its first elements to show. Two servers rarely write a value in the same bytes (listpack or table, compressed or not,
// another order of a set), so equal values can not be told by their DUMP alone.
import { createHash } from 'node:crypto';
import { exactExpiry } from '../protocol/held-expiry.ts';
import { WholeView } from './byte-view.ts';
import { decodeWhole } from './decode.ts';
import type { Dialect } from './format.ts';
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from './value-sink.ts';

export interface ValueDigest {
  readonly kind: ValueKind;
  /** Elements, members, fields or entries; of a string its bytes. */
  readonly size: number;
  /** Equal values have the same, others do not (SHA-256 of the elements; of a set, hash or sorted set their sum). */
  readonly digest: string;
  /** The first pieces of it, as the bytes they are; of a hash field and value in turn. */
  readonly preview: readonly Buffer[];
}

const PREVIEW_PIECES = 6;
const PREVIEW_BYTES = 64;

/** @param value without its type and without the footer. @throws RdbError for bytes that no server writes. */
export function digestValue(type: number, dialect: Dialect, value: Buffer): ValueDigest {
  const sink = new DigestSink();
  decodeWhole(type, dialect, new WholeView(value), sink);
  return sink.result();
}

/** Takes a value as its decoder gives it. What a stream counts of its own past (entries-added, consumers' times) is left out. */
class DigestSink implements ValueSink {
  readonly saturated = false;
  #kind: ValueKind = 'string';
  #size = 0;
  readonly #ordered = createHash('sha256');
  /** Of elements without an order: their digests added up, in quarters. */
  readonly #sum = new BigUint64Array(4);
  readonly #preview: Buffer[] = [];

  begin(kind: ValueKind): void {
    this.#kind = kind;
  }

  text({ bytes, start, end }: Slice): void {
    this.#size += end - start;
    this.#ordered.update(bytes.subarray(start, end));
    this.#show({ bytes, start, end });
  }

  element(element: Slice): void {
    this.#size++;
    this.#show(element);
    if (this.#kind === 'list') this.#add(element);
    else this.#addUnordered([framed(element)]);
  }

  scored(member: Slice, score: number): void {
    this.#size++;
    this.#show(member);
    this.#showText(String(score));
    const bytes = Buffer.allocUnsafe(8);
    // -0 is 0 to a server too.
    bytes.writeDoubleLE(score + 0);
    this.#addUnordered([framed(member), bytes]);
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.#size++;
    this.#show(field);
    this.#show(value);
    this.#addUnordered([framed(field), framed(value), Buffer.from(String(exactExpiry(expiresAtMs)))]);
  }

  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    this.#size++;
    this.#showText(nameOf(id));
    this.#ordered.update(`entry ${nameOf(id)} ${count} `);
    for (let i = 0; i < count; i++) {
      const field = fields[i];
      if (field === undefined) continue;
      this.#add(field);
      this.#show(field);
    }
  }

  streamFacts({ lastId }: StreamFacts): void {
    this.#ordered.update(`last ${nameOf(lastId)} `);
  }

  group(name: Slice, lastId: StreamId): void {
    this.#ordered.update(`group ${nameOf(lastId)} `);
    this.#add(name);
  }

  consumer(name: Slice): void {
    this.#ordered.update('consumer ');
    this.#add(name);
  }

  pending(id: StreamId): void {
    this.#ordered.update(`pending ${nameOf(id)} `);
  }

  end(): void {}

  result(): ValueDigest {
    this.#ordered.update(Buffer.from(this.#sum.buffer));
    return { kind: this.#kind, size: this.#size, digest: this.#ordered.digest('hex'), preview: this.#preview };
  }

  #add(slice: Slice): void {
    this.#ordered.update(framed(slice));
  }

  #addUnordered(pieces: readonly Buffer[]): void {
    const hash = createHash('sha256');
    for (const piece of pieces) hash.update(piece);
    const digest = hash.digest();
    for (let i = 0; i < 4; i++) this.#sum[i] = (this.#sum[i] ?? 0n) + digest.readBigUInt64LE(i * 8);
  }

  #show({ bytes, start, end }: Slice): void {
    if (this.#preview.length >= PREVIEW_PIECES) return;
    this.#preview.push(Buffer.from(bytes.subarray(start, Math.min(end, start + PREVIEW_BYTES))));
  }

  #showText(text: string): void {
    if (this.#preview.length < PREVIEW_PIECES) this.#preview.push(Buffer.from(text));
  }
}

/** With its length before it, so that `ab` and `c` differ from `a` and `bc`. */
function framed({ bytes, start, end }: Slice): Buffer {
  const out = Buffer.allocUnsafe(4 + end - start);
  out.writeUInt32LE(end - start);
  bytes.copy(out, 4, start, end);
  return out;
}

function nameOf({ ms, seq }: StreamId): string {
  return `${ms}-${seq}`;
}
