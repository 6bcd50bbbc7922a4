// Refused writes in words: which key, which command, why.
import type { Refusal } from '../contract/result.ts';

const LONGEST_KEY = 200;

/** The key as text that a person can copy: bytes that are no printable ASCII as \xNN. */
export function printableKey(key: Uint8Array | undefined): string {
  if (key === undefined) return '';
  let text = '';
  for (const byte of key.subarray(0, LONGEST_KEY)) {
    text +=
      byte >= 0x20 && byte < 0x7f && byte !== 0x5c
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return key.length > LONGEST_KEY ? `${text}...` : text;
}

/**
 * How a sentence names a key: only what stands in these words is found by a log that hides key names.
 * @param key printable; null for what has none.
 */
export function keyInWords(key: string | null, database: number): string {
  return key === null ? `no key (database ${database})` : `key "${key}" (database ${database})`;
}

/** A server that does not know a command quotes its arguments, which are somebody's keys and values. */
function withoutArguments(reason: string): string {
  return reason.replace(/,? with args beginning with: .*$/s, '');
}

/** @param args the command's arguments; the first of a write is its key. */
export function refusalOf(shard: string, database: number, args: readonly Buffer[], reason: string): Refusal {
  const command = (args[0]?.toString('latin1') ?? '').toUpperCase();
  const key = args[1] === undefined ? null : printableKey(args[1]);
  return { shard, database, key, command, reason: withoutArguments(reason) };
}
