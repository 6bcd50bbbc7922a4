// Takes a DUMP payload that comes in pieces: type, value, and behind it version and checksum. What it gives on is known
// to be a whole value of its type, since it may end in a file whose next record must be where the value ends.
import { Crc64 } from '../rdb/crc64.ts';
import { FOOTER_BYTES } from '../rdb/format.ts';
import { patternOf } from '../rdb/value-patterns.ts';
import { ValueWalker } from '../rdb/value-walker.ts';
import { ShapeError } from './jsonl-shape.ts';

const VERSION_BYTES = 2;

export class DumpReader {
  readonly type: number;
  readonly #walker = new ValueWalker();
  readonly #crc = new Crc64();
  /** Held back, since the last ten bytes are no part of the value. */
  #held: Buffer;
  /** What the walker has not passed. */
  #unwalked: Buffer = Buffer.alloc(0);

  /**
   * @param first the payload's first bytes.
   * @throws ShapeError for a type that cannot be passed over.
   */
  constructor(first: Buffer) {
    const [type] = first;
    if (type === undefined) throw new ShapeError('the dump is empty');
    const pattern = patternOf(type, 'redis');
    if (pattern === null) throw new ShapeError(`the dump is of type ${type}, which redferry does not know`);
    this.type = type;
    this.#walker.begin(pattern, 1);
    this.#crc.update(first, 0, 1);
    this.#held = first.subarray(1);
  }

  /** Gives what is certainly of the value, in a buffer of its own. @throws RdbError, ShapeError */
  take(bytes: Buffer): Buffer {
    const all = Buffer.concat([this.#held, bytes]);
    const end = Math.max(0, all.length - FOOTER_BYTES);
    this.#held = Buffer.from(all.subarray(end));
    const value = all.subarray(0, end);
    this.#crc.update(value, 0, end);
    this.#walk(value);
    return value;
  }

  /** The payload ended. @throws ShapeError when it is none. */
  end(): void {
    const footer = this.#held;
    if (!this.#walker.done || this.#unwalked.length > 0 || footer.length < FOOTER_BYTES) {
      throw new ShapeError('the dump ends before its value does, or behind it');
    }
    this.#crc.update(footer, 0, VERSION_BYTES);
    if (this.#crc.value() !== footer.readBigUInt64LE(VERSION_BYTES)) {
      throw new ShapeError('the checksum of the dump is wrong');
    }
  }

  #walk(value: Buffer): void {
    const bytes = this.#unwalked.length === 0 ? value : Buffer.concat([this.#unwalked, value]);
    const passed = this.#walker.advance(bytes, 0, bytes.length);
    this.#unwalked = Buffer.from(bytes.subarray(passed));
  }
}
