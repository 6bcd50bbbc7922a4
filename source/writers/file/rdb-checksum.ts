// The checksum of an RDB file in which some counts are written over later, when they are known. CRC64 is linear: bytes
// put over zeros change it by their own CRC, carried over the bytes behind them.
import { Crc64 } from '../../rdb/crc64.ts';

/** Jones, reflected: the highest bit of a number stands for x^0. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;
const ONE = 1n << 63n;
/** x^8: what one byte of zeros behind a message multiplies its CRC with. */
const ONE_BYTE = 1n << 55n;

export class RdbChecksum {
  readonly #crc = new Crc64();
  /** What the patches so far change of the CRC of the file's first `#at` bytes. */
  #change = 0n;
  #at = 0;

  /** The next bytes of the file. */
  update(bytes: Uint8Array, start: number, end: number): void {
    this.#crc.update(bytes, start, end);
  }

  /**
   * Zeros that were part of an `update` became `bytes`.
   * @param bytesBehind how many bytes of the file follow them up to now.
   * @param position bytes of the file up to now.
   */
  patched(bytes: Uint8Array, bytesBehind: number, position: number): void {
    const crc = new Crc64();
    crc.update(bytes, 0, bytes.length);
    this.#change = this.#changeAt(position) ^ carried(crc.value(), bytesBehind);
    this.#at = position;
  }

  /** The checksum of the file's first `position` bytes, which are all it was given. */
  value(position: number): bigint {
    return this.#crc.value() ^ this.#changeAt(position);
  }

  #changeAt(position: number): bigint {
    return this.#change === 0n ? 0n : carried(this.#change, position - this.#at);
  }
}

/** The CRC of a message with `zeros` zero bytes behind it. */
function carried(crc: bigint, zeros: number): bigint {
  let result = crc;
  let factor = ONE_BYTE;
  for (let rest = zeros; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = product(result, factor);
    factor = product(factor, factor);
  }
  return result;
}

/** Of two polynomials modulo the CRC's. */
function product(a: bigint, b: bigint): bigint {
  let sum = 0n;
  let shifted = b;
  for (let bit = ONE; bit > 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) sum ^= shifted;
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ POLYNOMIAL : shifted >> 1n;
  }
  return sum;
}
