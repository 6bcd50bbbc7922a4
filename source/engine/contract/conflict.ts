// Conflicts: keys of the snapshot that the target has already, with another value.

/**
 * What differs between the snapshot's key and the target's: the type, the value, or only the expiry. not-compared: one of
 * the two is too big to be fetched for it, or the target does not let it be read.
 */
export const CONFLICT_DIFFERENCES = ['type', 'value', 'expiry', 'not-compared'] as const;
export type ConflictDifference = (typeof CONFLICT_DIFFERENCES)[number];

/** What happens to a snapshot key that already exists on the target. */
export const CONFLICT_POLICIES = ['panic', 'rewrite', 'ignore'] as const;
export type ConflictPolicy = (typeof CONFLICT_POLICIES)[number];

export interface ConflictCounts {
  /** The target's key was replaced. */
  readonly rewritten: number;
  /** The target's key was kept. */
  readonly ignored: number;
  /** The target had the same value and expiry: no conflict. */
  readonly alreadyThere: number;
  /** Commands of the stream that were dropped, since they go to a key that was kept. */
  readonly dropped: number;
}

/** One side of a conflict, as the question shows it. */
export interface ConflictSide {
  /** As TYPE answers. */
  readonly type: string;
  /** Elements, fields, entries; of a string its bytes. null when it was not looked at. */
  readonly size: number | null;
  /** What it takes: of the snapshot's as it is serialized, of the target's in memory. null when not known. */
  readonly bytes: number | null;
  /** Unix ms; null for none. */
  readonly expiresAtMs: number | null;
  readonly encoding: string | null;
  /** The first pieces of it, printable; empty when it was not looked at. */
  readonly preview: readonly string[];
}

/** The shard has halted at a key and waits for the person. */
export interface KeyQuestion {
  readonly kind: 'key';
  /** Grows by one with each question of the shard; an answer names it, so that it never meets another key. */
  readonly number: number;
  readonly database: number;
  /** Printable; binary bytes as \xNN. */
  readonly key: string;
  readonly difference: ConflictDifference;
  readonly source: ConflictSide;
  readonly target: ConflictSide;
}

/** The snapshot is through, and these conflicts were put aside to be decided together. */
export interface CollectedQuestion {
  readonly kind: 'collected';
  readonly number: number;
  readonly differences: Readonly<Record<ConflictDifference, number>>;
  readonly total: number;
}

export type ConflictQuestion = KeyQuestion | CollectedQuestion;

/**
 * rewrite, ignore: the key in question, or all that were collected; compare: put this and all further ones aside until
 * the snapshot is through; one-by-one: ask for each of the collected.
 */
export type ConflictDecision = 'rewrite' | 'ignore' | 'compare' | 'one-by-one';

/** How a shard stands with its conflicts. */
export interface ConflictStanding {
  readonly question: ConflictQuestion | null;
  /** Put aside by `compare`. */
  readonly collected: number;
  /** Keys that `ignore` has kept on the target: commands of the stream to them are dropped. */
  readonly kept: number;
}

export const NO_CONFLICTS: ConflictCounts = { rewritten: 0, ignored: 0, alreadyThere: 0, dropped: 0 };
/** Counts of several shards, or of several threads of one. */
export function addConflicts(some: ConflictCounts, others: ConflictCounts): ConflictCounts {
  return {
    rewritten: some.rewritten + others.rewritten,
    ignored: some.ignored + others.ignored,
    alreadyThere: some.alreadyThere + others.alreadyThere,
    dropped: some.dropped + others.dropped,
  };
}

export const NO_STANDING: ConflictStanding = { question: null, collected: 0, kept: 0 };

/** How many conflicts a snapshot carries. */
export const CONFLICTS_KEPT = 200;

/** Where all conflicts of a run stand, by its log file. */
export function conflictFile(logFile: string): string {
  return `${logFile}.conflicts.jsonl`;
}

/** A conflict on its way from its shard's thread. */
export type ToldConflict = Omit<ConflictRecord, 'id'>;

/** One conflict and what became of it. */
export interface ConflictRecord {
  /** Grows by one with each conflict of the run; a screen remembers the last it has seen. */
  readonly id: number;
  /** Unix ms. */
  readonly timeMs: number;
  /** Name of the shard. */
  readonly shard: string;
  readonly database: number;
  /** Printable, cut when long; `keyBase64` is the whole. */
  readonly key: string;
  readonly keyBase64: string;
  readonly outcome: 'rewritten' | 'ignored';
  readonly difference: ConflictDifference;
  /** Types on both sides, as TYPE answers. */
  readonly type: { readonly source: string; readonly target: string };
}
