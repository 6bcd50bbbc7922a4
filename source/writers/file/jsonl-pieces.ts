// A string or a DUMP payload that comes in pieces, written as the value of one line or spread over several: gathered
// until a line is full, so that a value of any size needs the memory of one line.
import type { JsonlLine } from './jsonl-line.ts';

const EMPTY = Buffer.alloc(0);
/** What is gathered grows from here. */
const LEAST_BYTES = 4096;
/** A UTF-8 character has four bytes at the most. */
const LONGEST_CHARACTER = 4;

export class JsonlPieces {
  readonly #line: JsonlLine;
  readonly #partBytes: number;
  #gathered: Buffer = EMPTY;
  #length = 0;
  #opaque = false;
  #bytes: number | null = null;

  constructor(line: JsonlLine, partBytes: number) {
    this.#line = line;
    this.#partBytes = partBytes;
  }

  /**
   * The line stands where its value comes.
   * @param opaque base64 whatever it holds.
   * @param bytes of all pieces together, when known.
   */
  begin(opaque: boolean, bytes: number | null): void {
    this.#opaque = opaque;
    this.#bytes = bytes;
    this.#length = 0;
  }

  take(bytes: Buffer, start: number, end: number): void {
    // The usual string: whole, and no copy of it needed.
    if (this.#length === 0 && end - start === this.#bytes && end - start <= this.#partBytes) {
      this.#value(bytes, start, end);
      this.#bytes = null;
      this.#length = -1;
      return;
    }
    let from = start;
    while (from < end) {
      const count = Math.min(end - from, this.#partBytes - this.#length);
      this.#gather(bytes, from, from + count);
      from += count;
      if (this.#length === this.#partBytes && from < end) this.#passOn();
    }
  }

  /** Ends the value, not the line. */
  end(): void {
    if (this.#length >= 0) this.#value(this.#gathered, 0, this.#length);
    // A gathered megabyte is not kept for the sake of the next big value.
    this.#gathered = EMPTY;
    this.#length = 0;
  }

  #gather(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#gathered.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#partBytes, Math.max(LEAST_BYTES, length * 2)));
      this.#gathered.copy(larger, 0, 0, this.#length);
      this.#gathered = larger;
    }
    bytes.copy(this.#gathered, this.#length, start, end);
    this.#length = length;
  }

  /** Writes what was gathered as a part, up to the last whole character: text stays text in every part. */
  #passOn(): void {
    const end = this.#opaque ? this.#length : wholeCharacters(this.#gathered, this.#length);
    this.#value(this.#gathered, 0, end);
    if (this.#line.part === 1 && this.#bytes !== null) {
      this.#line.ascii(',"bytes":');
      this.#line.number(this.#bytes);
    }
    this.#line.nextPart();
    this.#gathered.copyWithin(0, end, this.#length);
    this.#length -= end;
  }

  #value(bytes: Buffer, start: number, end: number): void {
    if (this.#opaque) this.#line.base64(bytes, start, end);
    else this.#line.string(bytes, start, end);
  }
}

/** Where the last character that is whole ends, or `length` when the bytes are no UTF-8 there. */
function wholeCharacters(bytes: Buffer, length: number): number {
  for (let back = 1; back < LONGEST_CHARACTER && back < length; back++) {
    const byte = bytes[length - back] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? length - back : length;
  }
  return length;
}
