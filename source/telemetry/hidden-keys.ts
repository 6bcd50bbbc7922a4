// Key names often hold names, addresses and tokens of people. With log.keys "hash" the log shows a hash in the place of
// each: the same for the same key, so that lines can still be put together, and a key that is known can be looked for.
import { hash } from 'node:crypto';
import type { EngineResult, Refusal } from '../engine/contract/result.ts';

export const KEY_NAMES = ['plain', 'hash'] as const;
export type KeyNames = (typeof KEY_NAMES)[number];

const HASH_DIGITS = 16;

/** The first 16 hex digits of the SHA-256 of a key as it is printed. */
export function hashedKey(key: string): string {
  return `sha256:${hash('sha256', key, 'hex').slice(0, HASH_DIGITS)}`;
}

/** A sentence with the keys hashed that are named as `keyInWords` of engine/shard/refusal.ts names them. */
export function withoutKeys(sentence: string): string {
  return sentence.replace(
    /\bkey "(.*?)" \(database (\d+)\)/gs,
    (_, key: string, database: string) => `key "${hashedKey(key)}" (database ${database})`,
  );
}

export function refusalWithoutKeys(refusal: Refusal): Refusal {
  return { ...refusal, key: refusal.key === null ? null : hashedKey(refusal.key) };
}

export function resultWithoutKeys(result: EngineResult): EngineResult {
  return {
    ...result,
    message: result.message === null ? null : withoutKeys(result.message),
    refusals: result.refusals.map(refusalWithoutKeys),
    shards: result.shards.map((shard) => ({
      ...shard,
      error: shard.error === null ? null : withoutKeys(shard.error),
    })),
  };
}
