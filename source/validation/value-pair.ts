// The same key on both sides, and the small tools with which its value is read in windows.

import type { Command } from './connection.ts';
import type { Reply } from './resp-reader.ts';
import { list, text } from './side.ts';

/** Asks one node, in the right database. */
export type Ask = (commands: readonly Command[]) => Promise<Reply[]>;

export interface ValuePair {
  readonly key: Buffer;
  readonly source: Ask;
  readonly target: Ask;
  /** MEMORY USAGE of the source's value, an estimate: decides how many elements go into a window. */
  readonly bytes: number;
  /** Compare the entries-read of stream groups too; else `onDrift` is told of each that differs. */
  readonly entriesRead: boolean;
  /**
   * The target takes a deleted entry off the pending ones when it is claimed, and the source does not (XCLAIM from 7.0 on):
   * a stream that was copied rightly lacks it there.
   */
  readonly forgetsDeleted: boolean;
  readonly onDrift: OnDrift;
  /** Whether both sides answer one command with the same bytes; where it is there, equal windows need not be parsed. */
  readonly same?: SameAnswer | undefined;
}

/** What replication itself lets drift apart, so that no copy is to blame. */
export const DRIFTS = {
  'entries-read': 'The entries-read of some stream groups differ: replication itself does not carry this estimate.',
  'deleted-pending':
    'Some stream groups lack pending entries on the target that are deleted from their stream: the target, from 7.0 on, drops them when they are claimed, and the source keeps them.',
} as const;
export type Drift = keyof typeof DRIFTS;
export type OnDrift = (what: Drift) => void;

/** The node of the key is found by the key. */
export type SameAnswer = (command: Command) => Promise<boolean>;

/** true when a window is proved equal by its bytes; false says nothing. */
export async function sameWindow(pair: ValuePair, command: Command): Promise<boolean> {
  return pair.same !== undefined && (await pair.same(command));
}

/** What is read of one value at a time, about. */
export const WINDOW_BYTES = 1_048_576;
const WINDOW_ELEMENTS = 1000;

/** Sends the same commands to both sides. */
export async function askBoth(pair: ValuePair, commands: readonly Command[]): Promise<[Reply[], Reply[]]> {
  return Promise.all([pair.source(commands), pair.target(commands)]);
}

/** All elements of a collection on the source, window by window. */
export async function* scanValue(pair: ValuePair, command: string, step: number): AsyncGenerator<Reply[]> {
  let cursor = '0';
  do {
    const [reply] = await pair.source([[command, pair.key, cursor, 'COUNT', step]]);
    const [next, elements] = list(reply ?? null);
    cursor = text(next ?? null);
    // Small encodings come whole whatever COUNT says: cut them, so that one batch stays one batch.
    const all = list(elements ?? null);
    for (let from = 0; from < all.length; from += WINDOW_ELEMENTS * 2)
      yield all.slice(from, from + WINDOW_ELEMENTS * 2);
  } while (cursor !== '0');
}

/** How many elements of the usual size make up a window. */
export function windowOf(pair: ValuePair, elements: number): number {
  const each = Math.max(1, pair.bytes / Math.max(1, elements));
  return Math.max(1, Math.min(WINDOW_ELEMENTS, Math.floor(WINDOW_BYTES / each)));
}

export function bytes(reply: Reply | undefined): Buffer {
  if (Buffer.isBuffer(reply)) return reply;
  if (reply instanceof Error) throw reply;
  // Nothing where bytes are expected: the element is gone, which the caller sees as a difference.
  return Buffer.alloc(0);
}

const QUOTED_BYTES = 60;

/** A name for a sentence: printable, short. */
export function quote(reply: Reply | undefined): string {
  const name = bytes(reply);
  const shown = JSON.stringify(name.toString('latin1', 0, QUOTED_BYTES)).replaceAll(/[\u007f-\u00ff]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16)}`;
  });
  return name.length > QUOTED_BYTES ? `${shown}...` : shown;
}
