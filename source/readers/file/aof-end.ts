// How the reading of an AOF ended, for the program and for people. A cut at the very end is what a crash leaves, and
// servers start with it by default (aof-load-truncated); nothing else that is wrong would let one start.
import { FerryError } from '../../engine/errors.ts';
import type { FilePlace } from './file-feed.ts';

/**
 * stopped: at the stop time; truncated: the file ends inside a command or its RDB; unfinished-transaction: it ends inside
 * a MULTI block; broken: bytes that no server writes.
 */
export type AofEndKind = 'clean' | 'stopped' | 'truncated' | 'unfinished-transaction' | 'broken';

/**
 * Everything before the place stands and nothing behind it does. Inside a block the place is that of its MULTI: what was
 * handed on of the block must not be executed.
 */
export interface AofEnd extends FilePlace {
  readonly kind: AofEndKind;
  /** A sentence for people; null for a clean end. */
  readonly message: string | null;
  /** The message as an error, when no server would start with these files; null when the end is one to go on from. */
  readonly error: FerryError | null;
}

/** What the stream knows when it ends. */
export interface AofEndFacts extends FilePlace {
  readonly kind: AofEndKind;
  /** Goes on behind the file's name: where it ends, or what is wrong with it. */
  readonly what: string;
  /** No server would start with it. */
  readonly fatal: boolean;
  /** Of the annotation read last, unix ms. */
  readonly timestampMs: number | null;
  readonly filesFollow: boolean;
}

export function aofEnd(facts: AofEndFacts): AofEnd {
  const { kind, file, offset, fatal } = facts;
  const message = messageFor(facts);
  const error = fatal && message !== null ? new FerryError(message, { code: 'aof' }) : null;
  return { kind, file, offset, message, error };
}

function messageFor({ kind, file, offset, what, timestampMs, filesFollow }: AofEndFacts): string | null {
  const kept = `Everything before byte ${offset} of it was read`;
  const follow = filesFollow ? ' although other files follow' : '';
  switch (kind) {
    case 'clean':
      return null;
    case 'stopped':
      return `${file} goes on at ${new Date(timestampMs ?? 0).toISOString()}, after the stop time. ${kept}.`;
    case 'truncated':
      return `${file} ends${follow} ${what}. ${kept}, what follows was left out.`;
    case 'unfinished-transaction':
      return `${file} ends${follow} inside a transaction (a MULTI without its EXEC). ${kept}, the transaction was left out.`;
    case 'broken':
      return `${file} ${what}. ${kept}, nothing behind it can be trusted.`;
  }
}
