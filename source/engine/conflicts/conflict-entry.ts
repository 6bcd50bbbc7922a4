// A write of the snapshot that found its key on the target: what it wanted to write, what differs, and how it was settled.
import type { Dialect } from '../../rdb/format.ts';
import type { ConflictDifference } from '../contract/conflict.ts';
import { type Comparison, type Incoming, readIncoming } from './conflict-sides.ts';

/** The command as it went to the target. */
export interface RefusedWrite {
  readonly database: number;
  readonly args: readonly Buffer[];
}

export interface ConflictEntry extends RefusedWrite {
  readonly incoming: Incoming;
}

/** What the target has in its place. */
export type Difference = Extract<Comparison, { readonly state: 'different' }>;

/** One conflict that has been settled. */
export interface Settled {
  readonly database: number;
  readonly key: Buffer;
  readonly outcome: 'rewritten' | 'ignored';
  readonly difference: ConflictDifference;
  readonly types: { readonly source: string; readonly target: string };
}

export function readEntry({ database, args }: RefusedWrite, dialect: Dialect): ConflictEntry {
  return { database, args, incoming: readIncoming(args, dialect) };
}

export function settledAs(
  outcome: Settled['outcome'],
  { database, incoming }: ConflictEntry,
  { difference, present }: Difference,
): Settled {
  return { database, key: incoming.key, outcome, difference, types: { source: incoming.kind, target: present.kind } };
}
