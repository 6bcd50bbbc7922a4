// When a key expires, as exactly as a server can tell: PEXPIRETIME from 7.0 on, before that what is left (PTTL) added to
// the server's own clock, which is off by the moment between the two.

import { exactExpiry, isHeld } from '../protocol/held-expiry.ts';
import type { Command } from './connection.ts';
import type { Reply } from './resp-reader.ts';
import { count, list } from './side.ts';

/** Unix ms, or one of these two as the servers answer them. */
export const NO_EXPIRY = -1;
export const NO_KEY = -2;

/** A key this near to its expiry is neither equal nor different; what one clock is ahead is added. */
export const EXPIRY_GUARD_MS = 2000;

/** How far two expiries may lie apart when one of them was taken from PTTL and a clock. */
const CLOCK_TOLERANCE_MS = 1000;

export function expiryCommand(exact: boolean, key: Buffer): Command {
  return [exact ? 'PEXPIRETIME' : 'PTTL', key];
}

/** `nowMs`: the server's clock in the same batch. */
export function expiryOf(exact: boolean, reply: Reply | undefined, nowMs: number): number {
  const answer = count(reply);
  return exact || answer < 0 ? answer : answer + nowMs;
}

/** What the target's expiry is when the run that holds it has ended, as the source has it; without a run what it is. */
export function settledExpiry({ held }: { readonly held: { count: number } }, expiresAtMs: number): number {
  if (!isHeld(expiresAtMs)) return expiresAtMs;
  held.count++;
  return exactExpiry(expiresAtMs);
}

/** For the report, when there were any. */
export function heldNote({ held }: { readonly held: { count: number } }): string | null {
  if (held.count === 0) return null;
  return `${held.count} expiries on the target are held by a run (253 years late), and get their own time back when it ends: they were compared as what they will be then.`;
}

/** The reply of TIME in Unix ms. */
export function clockOf(reply: Reply | undefined): number {
  const [seconds, micros] = list(reply ?? null);
  return count(seconds) * 1000 + Math.floor(count(micros) / 1000);
}

export function sameExpiry(a: number, b: number, toleranceMs: number): boolean {
  if (a < 0 || b < 0) return a === b;
  return Math.abs(a - b) <= toleranceMs;
}

export function toleranceFor(exact: boolean, wantedMs: number | undefined): number {
  return wantedMs ?? (exact ? 0 : CLOCK_TOLERANCE_MS);
}

export function showExpiry(expiresAtMs: number): string {
  return expiresAtMs < 0 ? 'no expiry' : new Date(expiresAtMs).toISOString();
}
