// What a line of JSON must look like, asked piece by piece: each function gives the thing or says what is wrong with it.
// The parser adds the line's number and place.
import { isUtf8 } from 'node:buffer';
import type { Slice, StreamId } from '../rdb/value-sink.ts';

/** What is wrong with a line, as the end of a sentence. */
export class ShapeError extends Error {}

export type Members = { readonly [name: string]: unknown };

const NO_BASE64 = /[^A-Za-z0-9+/]/;
const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** A double's text has 24 characters; on much longer ones the pattern above would take for ever. */
const LONGEST_NUMBER = 100;
const ID = /^(\d{1,20})-(\d{1,20})$/;
const WHOLE_NUMBER = /^-?\d{1,20}$/;
const HIGHEST_UINT64 = 2n ** 64n - 1n;
const SHOWN_CHARACTERS = 40;

/** @throws ShapeError when the bytes are no JSON object in UTF-8. */
export function parseObject(line: Buffer): Members {
  // Decoding would put a replacement character in the place of what is not UTF-8.
  if (!isUtf8(line)) throw new ShapeError('it is no UTF-8');
  try {
    return members(JSON.parse(line.toString()), 'the line');
  } catch (error) {
    throw error instanceof SyntaxError ? new ShapeError(`it is no JSON (${error.message})`) : error;
  }
}

export function members(value: unknown, what: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(value, what, 'an object');
  return value as Members;
}

export function array(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(value, what, 'an array');
  return value;
}

/** A binary-safe string: a JSON string, or `{"base64":"..."}`. */
export function binary(value: unknown, what: string): Buffer {
  if (typeof value === 'string') {
    // Half of a surrogate pair has no UTF-8.
    if (!value.isWellFormed()) throw wrong(value, what, 'text without lone surrogates');
    return Buffer.from(value);
  }
  if (typeof value === 'object' && value !== null && 'base64' in value) return base64(value.base64, what);
  throw wrong(value, what, 'a string or {"base64":"..."}');
}

export function base64(value: unknown, what: string): Buffer {
  if (typeof value !== 'string' || value.length % 4 !== 0) throw wrong(value, what, 'base64');
  const padding = value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0;
  if (NO_BASE64.test(padding === 0 ? value : value.slice(0, -padding))) throw wrong(value, what, 'base64');
  return Buffer.from(value, 'base64');
}

export function slice(value: unknown, what: string): Slice {
  const bytes = binary(value, what);
  return { bytes, start: 0, end: bytes.length };
}

/** A whole number that a double holds exactly. */
export function whole(value: unknown, what: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw wrong(value, what, `a whole number from ${least} to ${most}`);
}

/** The same where it may be absent: `otherwise` then. */
export function optionalWhole<T>(value: unknown, what: string, least: number, otherwise: T, most?: number): number | T {
  return value === undefined ? otherwise : whole(value, what, least, most);
}

/** A number of up to 64 bits; beyond 2^53 it is a string. */
export function big(value: unknown, what: string, least: bigint): bigint {
  const isWhole = typeof value === 'string' ? WHOLE_NUMBER.test(value) : Number.isSafeInteger(value);
  const number = isWhole ? BigInt(value as string | number) : null;
  if (number !== null && number >= least && number <= HIGHEST_UINT64) return number;
  throw wrong(value, what, `a whole number from ${least} to ${HIGHEST_UINT64}`);
}

export function optionalBig(value: unknown, what: string, least: bigint): bigint | null {
  return value === undefined ? null : big(value, what, least);
}

export function score(value: unknown, what: string): number {
  if (typeof value === 'number') return value;
  if (value === 'inf') return Number.POSITIVE_INFINITY;
  if (value === '-inf') return Number.NEGATIVE_INFINITY;
  if (value === 'nan') return Number.NaN;
  if (typeof value === 'string' && value.length <= LONGEST_NUMBER && NUMBER.test(value)) return Number(value);
  throw wrong(value, what, 'a number as text, or "inf" or "-inf"');
}

export function streamId(value: unknown, what: string): StreamId {
  const match = typeof value === 'string' ? ID.exec(value) : null;
  if (match !== null) {
    const ms = BigInt(match[1] as string);
    const seq = BigInt(match[2] as string);
    if (ms <= HIGHEST_UINT64 && seq <= HIGHEST_UINT64) return { ms, seq };
  }
  throw wrong(value, what, 'an id such as "1700000000000-0"');
}

export function optionalStreamId(value: unknown, what: string): StreamId | null {
  return value === undefined ? null : streamId(value, what);
}

export function wrong(value: unknown, what: string, wanted: string): ShapeError {
  if (value === undefined) return new ShapeError(`${what} is missing: ${wanted}`);
  return new ShapeError(`${what} is ${shown(value)} and not ${wanted}`);
}

/** Of an array or object not what it holds, which may be deeper than JSON.stringify can go. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}
