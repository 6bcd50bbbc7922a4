// The expiries of a batch of keys on both sides, compared.
import { expiryOf, NO_EXPIRY, sameExpiry, settledExpiry } from './expiry.ts';
import type { Indexes, KeyBatch } from './key-batch.ts';
import type { Databases } from './keyspaces.ts';
import { askAbout, type LinkedSide } from './linked-side.ts';
import { AFTER, QUESTIONS } from './questions.ts';

export interface ExpiryPair {
  readonly source: LinkedSide;
  readonly target: LinkedSide;
  readonly toleranceMs: number;
}

/** 1 for each key whose expiry is the same on both sides. */
export async function sameExpiries(
  { source, target, toleranceMs }: ExpiryPair,
  databases: Databases,
  batch: KeyBatch,
  indexes: Indexes,
): Promise<Uint8Array> {
  const [ours, theirs] = await Promise.all([
    askExpiries(source, databases.source, batch, indexes),
    askExpiries(target, databases.target, batch, indexes),
  ]);
  const same = new Uint8Array(indexes.length);
  for (let place = 0; place < indexes.length; place++) {
    const a = ours[place] ?? Number.NaN;
    // A key that is gone answers -2, and so does one that was never there.
    const there = a >= NO_EXPIRY;
    const b = settledExpiry(target.side, theirs[place] ?? Number.NaN);
    same[place] = there && sameExpiry(a, b, toleranceMs) ? 1 : 0;
  }
  return same;
}

/** Unix ms, or -1 and -2 as the servers say it. */
async function askExpiries(
  linked: LinkedSide,
  database: number,
  batch: KeyBatch,
  indexes: Indexes,
): Promise<Float64Array> {
  const exact = linked.side.exactExpiry;
  const question = exact ? QUESTIONS.expiresAt : QUESTIONS.timeLeft;
  const answers = await askAbout(linked, database, batch, indexes, question, { after: exact ? null : AFTER.time });
  const clocks = exact ? [0] : answers.textsAfter().map(clockIn);
  const expiries = new Float64Array(indexes.length);
  for (let place = 0; place < indexes.length; place++) {
    expiries[place] = expiryOf(exact, answers.signedIn(place), clocks[answers.partOf(place)] ?? 0);
  }
  answers.release();
  return expiries;
}

/** The reply of TIME, still as text: seconds and microseconds on lines of their own. */
function clockIn(reply: string): number {
  const [seconds = '', micros = ''] = reply.match(/^\d+$/gm) ?? [];
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}
