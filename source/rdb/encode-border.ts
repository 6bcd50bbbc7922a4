// Finds listpacks that not every server reads alike. Behind each entry stands its length, seven bits a byte; until 2026 an
// entry of exactly 2^14 - 1, 2^21 - 1 or 2^28 - 1 bytes got a byte more than it needs, since then none (redis #15151,
// valkey #3601, seen in Valkey 9.1.2). No version of the format tells the two apart: a server before that takes the new
// form from RESTORE and aborts when it reads it (Redis 7.0 and 8.0 do), a newer one refuses the old. Such a value must
// not travel in a listpack.
import type { ByteView } from './byte-view.ts';
import { type Dialect, STRING_ENCODING, TYPE } from './format.ts';
import { LengthReader } from './length.ts';
import { lzfDecompress, lzfIsPlausible } from './lzf.ts';

/** Bytes of an entry, without the length behind it, whose length is written in two ways. */
export const BORDER_BYTES: readonly number[] = [2 ** 14 - 1, 2 ** 21 - 1, 2 ** 28 - 1];

/** Encoding and length of a string of 4096 bytes and more. */
const HEAD_BYTES = 5;
const STRING_32BIT = 0xf0;
/** What an entry of that many bytes begins with. In a text it may stand by chance: then a value is rewritten for nothing. */
const HEADS: readonly Buffer[] = BORDER_BYTES.map((bytes) => {
  const head = Buffer.alloc(HEAD_BYTES, STRING_32BIT);
  head.writeUInt32LE(bytes - HEAD_BYTES, 1);
  return head;
});
const LEAST_BYTES = BORDER_BYTES[0] as number;
const INTEGER_BYTES = [1, 2, 4];
const QUICKLIST_PACKED = 2;
/** A compressed listpack that inflates to more is not looked into: it counts as one that has such an entry. */
const MOST_INFLATED_BYTES = 4 * 1024 * 1024;
const EARLIEST_EXPIRY_BYTES = 8;
const EMPTY = Buffer.alloc(0);

/** What stands in a value before and between its listpacks. */
type Layout = 'one' | 'expiry-and-one' | 'list' | 'stream';

const SHARED: Readonly<Record<number, Layout>> = {
  [TYPE.streamListpacks]: 'stream',
  [TYPE.hashListpack]: 'one',
  [TYPE.zsetListpack]: 'one',
  [TYPE.listQuicklist2]: 'list',
  [TYPE.streamListpacks2]: 'stream',
  [TYPE.setListpack]: 'one',
  [TYPE.streamListpacks3]: 'stream',
};
const OF_REDIS: Readonly<Record<number, Layout>> = {
  [TYPE.hashListpackEx]: 'expiry-and-one',
  [TYPE.streamListpacks4]: 'stream',
  [TYPE.streamListpacks5]: 'stream',
};

export class BorderScan {
  readonly #length = new LengthReader();
  #scratch: Buffer = EMPTY;
  #bytes: Buffer = EMPTY;
  #at = 0;
  #end = 0;

  /**
   * Whether a listpack of the value that begins at the view's start has such an entry, or may have; the view stays as it
   * is. Says no of bytes that are no value of that type.
   */
  found(type: number, dialect: Dialect, view: ByteView): boolean {
    const layout = SHARED[type] ?? (dialect === 'redis' ? OF_REDIS[type] : undefined);
    if (layout === undefined) return false;
    this.#bytes = view.bytes;
    this.#at = view.start;
    this.#end = view.end;
    const found = this.#foundIn(layout);
    this.#bytes = EMPTY;
    return found;
  }

  #foundIn(layout: Layout): boolean {
    if (layout === 'one') return this.#string(true);
    if (layout === 'expiry-and-one') {
      this.#at += EARLIEST_EXPIRY_BYTES;
      return this.#string(true);
    }
    let nodes = this.#number();
    for (; nodes > 0 && this.#at < this.#end; nodes--) {
      // Before each listpack: what the node is, or the stream's ID.
      let packed = true;
      if (layout === 'list') packed = this.#number() === QUICKLIST_PACKED;
      else this.#string(false);
      if (this.#string(packed)) return true;
    }
    return false;
  }

  #number(): number {
    const next = this.#length.read(this.#bytes, this.#at, this.#end);
    this.#at = next < 0 ? this.#end : next;
    return next < 0 || this.#length.encoding >= 0 ? 0 : this.#length.value;
  }

  /** Passes over a string; whether it has such an entry, if it is a listpack. */
  #string(packed: boolean): boolean {
    const length = this.#number();
    const { encoding } = this.#length;
    if (encoding === STRING_ENCODING.lzf) return this.#compressed(packed);
    const bytes = encoding < 0 ? length : (INTEGER_BYTES[encoding] ?? 0);
    const from = this.#at;
    this.#at += bytes;
    return packed && bytes > LEAST_BYTES && this.#at <= this.#end && hasHead(this.#bytes, from, this.#at);
  }

  #compressed(packed: boolean): boolean {
    const bytes = this.#number();
    const inflated = this.#number();
    const from = this.#at;
    this.#at += bytes;
    if (!packed || inflated <= LEAST_BYTES || this.#at > this.#end || !lzfIsPlausible(bytes, inflated)) return false;
    if (inflated > MOST_INFLATED_BYTES) return true;
    if (this.#scratch.length < inflated) this.#scratch = Buffer.allocUnsafeSlow(inflated);
    const plain = this.#scratch.subarray(0, inflated);
    return lzfDecompress(this.#bytes, from, bytes, plain) && hasHead(plain, 0, inflated);
  }
}

function hasHead(bytes: Buffer, start: number, end: number): boolean {
  const range = bytes.subarray(start, end);
  return HEADS.some((head, i) => range.length > (BORDER_BYTES[i] as number) && range.indexOf(head) >= 0);
}
