// Writes a decoded value as JSON into the line under way; when the line is full the value goes on in the next one, with
// the same brackets open. docs/jsonl.md shows what each type looks like.
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from '../../rdb/value-sink.ts';
import type { JsonlLine } from './jsonl-line.ts';
import type { JsonlPieces } from './jsonl-pieces.ts';

/** What is open, which says how to close it: for all but streams that is one array. */
type Open = 'pieces' | 'elements' | 'entries' | 'facts' | 'group' | 'ownerless' | 'consumer';

const CLOSE: Readonly<Record<Open, Buffer>> = {
  pieces: Buffer.from(''),
  elements: Buffer.from(']'),
  entries: Buffer.from(']}'),
  facts: Buffer.from('}'),
  group: Buffer.from('}]}'),
  ownerless: Buffer.from(']}]}'),
  consumer: Buffer.from(']}]}]}'),
};

/** From what is open to the place behind a whole group, or behind a whole consumer. */
const TO_GROUPS: Readonly<Partial<Record<Open, Buffer>>> = {
  facts: Buffer.from(',"groups":[{"name":'),
  group: Buffer.from('},{"name":'),
  ownerless: Buffer.from(']},{"name":'),
  consumer: Buffer.from(']}]},{"name":'),
};
const TO_CONSUMERS: Readonly<Partial<Record<Open, Buffer>>> = {
  group: Buffer.from(',"consumers":[{"name":'),
  ownerless: Buffer.from('],"consumers":[{"name":'),
  consumer: Buffer.from(']},{"name":'),
};

const ARRAY = Buffer.from('[');
const ARRAY_END = Buffer.from(']');
const COMMA = Buffer.from(',');
const ENTRIES = Buffer.from('{"entries":[');
const OBJECT = Buffer.from('{');
const GROUPS = Buffer.from('{"groups":[{"name":');
const PENDING = Buffer.from(',"pending":[');
const CONSUMERS = Buffer.from(',"consumers":[{"name":');
const EMPTY: Slice = { bytes: Buffer.alloc(0), start: 0, end: 0 };

export class JsonlValueWriter implements ValueSink {
  readonly #line: JsonlLine;
  readonly #pieces: JsonlPieces;
  readonly #onEnd: () => void;
  #open: Open = 'elements';
  /** Nothing stands in the innermost open array yet. */
  #first = true;
  /** Of a stream: repeated when the value goes on in another line. */
  #group: Slice = EMPTY;
  #consumer: Slice = EMPTY;

  /** @param onEnd the value is written, its line is still open. */
  constructor(line: JsonlLine, pieces: JsonlPieces, onEnd: () => void) {
    this.#line = line;
    this.#pieces = pieces;
    this.#onEnd = onEnd;
  }

  get saturated(): boolean {
    return this.#line.saturated;
  }

  begin(kind: ValueKind, count: number | null): void {
    this.#first = true;
    this.#line.type(kind);
    if (kind === 'string') {
      this.#open = 'pieces';
      this.#pieces.begin(false, count);
    } else if (kind === 'stream') {
      this.#open = 'entries';
      this.#line.raw(ENTRIES);
    } else {
      this.#open = 'elements';
      this.#line.raw(ARRAY);
    }
  }

  text(piece: Slice): void {
    this.#pieces.take(piece.bytes, piece.start, piece.end);
  }

  element(element: Slice): void {
    this.#next(ARRAY);
    this.#line.text(element);
  }

  scored(member: Slice, score: number): void {
    this.#next(ARRAY);
    this.#line.raw(ARRAY);
    this.#line.text(member);
    this.#line.raw(COMMA);
    this.#line.score(score);
    this.#line.raw(ARRAY_END);
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.#next(ARRAY);
    this.#line.raw(ARRAY);
    this.#line.text(field);
    this.#line.raw(COMMA);
    this.#line.text(value);
    if (expiresAtMs !== -1) {
      this.#line.raw(COMMA);
      this.#line.number(expiresAtMs);
    }
    this.#line.raw(ARRAY_END);
  }

  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    this.#next(ENTRIES);
    const line = this.#line;
    line.raw(ARRAY);
    line.id(id);
    for (let i = 0; i < count; i++) {
      line.raw(COMMA);
      line.text(fields[i] as Slice);
    }
    line.raw(ARRAY_END);
  }

  streamFacts({ length, lastId, firstId, maxDeletedId, entriesAdded }: StreamFacts): void {
    const line = this.#line;
    if (line.full) {
      this.#goOn(OBJECT);
      line.ascii('"length":');
    } else {
      line.ascii('],"length":');
    }
    line.number(length);
    this.#id(',"lastId":', lastId);
    this.#id(',"firstId":', firstId);
    this.#id(',"maxDeletedId":', maxDeletedId);
    this.#number(',"entriesAdded":', entriesAdded);
    this.#open = 'facts';
  }

  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.#descend(TO_GROUPS, () => this.#goOn(GROUPS));
    this.#line.text(name);
    this.#id(',"lastId":', lastId);
    this.#number(',"entriesRead":', entriesRead);
    this.#group = kept(name);
    this.#open = 'group';
  }

  consumer(name: Slice, seenMs: number, activeMs: number | null): void {
    this.#descend(TO_CONSUMERS, () => this.#reopenGroup(CONSUMERS));
    const line = this.#line;
    line.text(name);
    this.#number(',"seenMs":', seenMs);
    this.#number(',"activeMs":', activeMs);
    line.raw(PENDING);
    this.#consumer = kept(name);
    this.#open = 'consumer';
    this.#first = true;
  }

  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    const line = this.#line;
    if (this.#open === 'group') {
      line.raw(PENDING);
      this.#open = 'ownerless';
    } else if (!this.#first && line.full) {
      this.#reopenPending();
    } else if (!this.#first) {
      line.raw(COMMA);
    }
    this.#first = false;
    line.raw(ARRAY);
    line.id(id);
    line.raw(COMMA);
    line.number(deliveredAtMs);
    line.raw(COMMA);
    line.number(deliveries);
    line.raw(ARRAY_END);
  }

  end(): void {
    if (this.#open === 'pieces') this.#pieces.end();
    else this.#line.raw(CLOSE[this.#open]);
    this.#group = EMPTY;
    this.#consumer = EMPTY;
    this.#onEnd();
  }

  /** Another element of the open array, which `opener` opens again in another line. */
  #next(opener: Buffer): void {
    if (this.#first) this.#first = false;
    else if (this.#line.full) this.#goOn(opener);
    else this.#line.raw(COMMA);
  }

  #goOn(opener: Buffer): void {
    this.#line.raw(CLOSE[this.#open]);
    this.#line.nextPart();
    this.#line.raw(opener);
  }

  /** From what is open to the name of the next group or consumer. */
  #descend(ways: Readonly<Partial<Record<Open, Buffer>>>, goOn: () => void): void {
    const way = ways[this.#open];
    if (way === undefined || this.#line.full) goOn();
    else this.#line.raw(way);
  }

  /** The group goes on in another line, up to the array that `then` opens. */
  #reopenGroup(then: Buffer): void {
    this.#goOn(GROUPS);
    this.#line.text(this.#group);
    this.#line.raw(then);
  }

  #reopenPending(): void {
    if (this.#open === 'ownerless') {
      this.#reopenGroup(PENDING);
      return;
    }
    this.#reopenGroup(CONSUMERS);
    this.#line.text(this.#consumer);
    this.#line.raw(PENDING);
  }

  #id(name: string, id: StreamId | null): void {
    if (id === null) return;
    this.#line.ascii(name);
    this.#line.id(id);
  }

  #number(name: string, value: number | bigint | null): void {
    if (value === null) return;
    this.#line.ascii(name);
    this.#line.number(value);
  }
}

function kept({ bytes, start, end }: Slice): Slice {
  return { bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start };
}
