// Numbers as values hold them: integers of 64 bits, and scores that stand as text (in sorted sets of type 3 and of the
// ziplist and listpack encodings).

/** Powers of ten that a double holds exactly, and mantissas below 2^53: their quotient is rounded once, as strtod would. */
const EXACT_POWERS = Array.from({ length: 23 }, (_, power) => 10 ** power);
const EXACT_DIGITS = 15;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** The longest text that a server writes for a double (ld2string) is far shorter. */
const LONGEST_SCORE_BYTES = 512;

/** The double that the text means, to the last bit and with the sign of -0; NaN when it is no number. */
export function parseScore(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === 45;
  let at = negative ? start + 1 : start;
  let mantissa = 0;
  let digits = 0;
  let decimals = -1;
  for (; at < end; at++) {
    const digit = (bytes[at] as number) - 48;
    if (digit >= 0 && digit <= 9) {
      mantissa = mantissa * 10 + digit;
      digits++;
      if (decimals >= 0) decimals++;
    } else if (digit === -2 && decimals < 0) {
      decimals = 0;
    } else {
      break;
    }
  }
  if (at < end || digits === 0 || digits > EXACT_DIGITS) return parseUnusual(bytes, start, end);
  const value = decimals > 0 ? mantissa / (EXACT_POWERS[decimals] as number) : mantissa;
  return negative ? -value : value;
}

/** Exponents, more digits than a double holds exactly, infinities. */
function parseUnusual(bytes: Buffer, start: number, end: number): number {
  if (end - start > LONGEST_SCORE_BYTES) return Number.NaN;
  const text = bytes.toString('latin1', start, end);
  if (DECIMAL.test(text)) return Number(text);
  const infinity = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinity === null) return Number.NaN;
  return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Signed 64 bits, little endian: rounded once where a double cannot hold them. */
export function int64At(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readInt32LE(at + 4) * 2 ** 32;
}
