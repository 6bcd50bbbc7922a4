// RESP commands as bytes: whole ones for the control of a link, and the pieces from which the hot path builds its own.
// Source: the RESP2 specification, as every server since 1.2 reads it.

const CR = 13;
const LF = 10;
const STAR = 42;
const DOLLAR = 36;
const ZERO = 48;

/** One command; text goes as UTF-8. */
export function encodeCommand(args: readonly (string | Uint8Array)[]): Buffer {
  let size = 1 + digitCount(args.length) + 2;
  for (const arg of args) {
    const length = typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length;
    size += 1 + digitCount(length) + 2 + length + 2;
  }
  const out = Buffer.allocUnsafe(size);
  out[0] = STAR;
  let at = putLineEnd(out, putDecimal(out, 1, args.length));
  for (const arg of args) {
    const length = typeof arg === 'string' ? Buffer.byteLength(arg) : arg.length;
    out[at] = DOLLAR;
    at = putLineEnd(out, putDecimal(out, at + 1, length));
    if (typeof arg === 'string') out.write(arg, at);
    else out.set(arg, at);
    at = putLineEnd(out, at + length);
  }
  return out;
}

/** How many decimal digits `value` has (a whole number of 0 or more). */
export function digitCount(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

/** Writes `value` (a whole number of 0 or more, up to 2^53) in decimal at `at`; gives the place behind it. */
export function putDecimal(buffer: Uint8Array, at: number, value: number): number {
  const end = at + digitCount(value);
  let rest = value;
  let position = end;
  // Beyond 31 bits `| 0` would bend the number, so large ones (expiries) divide in floating point first.
  while (rest > 0x7fffffff) {
    const next = Math.floor(rest / 10);
    buffer[--position] = ZERO + (rest - next * 10);
    rest = next;
  }
  let small = rest | 0;
  while (position > at) {
    const next = (small / 10) | 0;
    buffer[--position] = ZERO + (small - next * 10);
    small = next;
  }
  return end;
}

/** Writes `\r\n` at `at`; gives the place behind it. */
export function putLineEnd(buffer: Uint8Array, at: number): number {
  buffer[at] = CR;
  buffer[at + 1] = LF;
  return at + 2;
}

/** Copies `length` bytes; short ones in a loop, since a call into the copy routine costs more than 32 bytes do. */
export function putBytes(buffer: Uint8Array, at: number, from: Buffer, start: number, length: number): number {
  if (length <= 32) {
    for (let i = 0; i < length; i++) buffer[at + i] = from[start + i] as number;
  } else {
    // Not `set` of a `subarray`: the view it makes is 105 bytes of garbage a key, `copy` makes none.
    from.copy(buffer, at, start, start + length);
  }
  return at + length;
}

/** Writes `$<length>\r\n<bytes>\r\n`; gives the place behind it. */
export function putBulk(buffer: Uint8Array, at: number, from: Buffer, start: number, length: number): number {
  buffer[at] = 36;
  let position = putLineEnd(buffer, putDecimal(buffer, at + 1, length));
  position = putBytes(buffer, position, from, start, length);
  return putLineEnd(buffer, position);
}

/** Writes a number as a bulk string; gives the place behind it. */
export function putBulkNumber(buffer: Uint8Array, at: number, value: number): number {
  buffer[at] = 36;
  const position = putLineEnd(buffer, putDecimal(buffer, at + 1, digitCount(value)));
  return putLineEnd(buffer, putDecimal(buffer, position, value));
}
