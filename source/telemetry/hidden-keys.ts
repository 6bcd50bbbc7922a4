// Key names often hold names, addresses and tokens of people. With log.keys "hash" the log shows a hash in the place of
// each: the same for the same key, so that lines can still be put together, and a key that is known can be looked for.
import { createHash } from 'node:crypto';

export const KEY_NAMES = ['plain', 'hash'] as const;
export type KeyNames = (typeof KEY_NAMES)[number];

const HASH_DIGITS = 16;

/** The first 16 hex digits of the SHA-256 of a key as it is printed. */
export function hashedKey(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex').slice(0, HASH_DIGITS)}`;
}

/** `text` with each of these keys hashed where it stands as a word of its own. */
export function withoutKeys(text: string, keys: readonly string[]): string {
  // The longest first: one may be the beginning of another.
  const words = keys.filter((key) => key !== '').sort((a, b) => b.length - a.length);
  if (words.length === 0) return text;
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return text.replace(new RegExp(`(?<!\\w)(?:${escaped.join('|')})(?!\\w)`, 'g'), hashedKey);
}
