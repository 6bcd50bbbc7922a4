// What a fetch brought: for each key of a list what became of it and where its value stands. Arrays, no object per key.
import type { KeyList } from './key-list.ts';
import { MOST_KEYS } from './key-list.ts';
import type { Replies } from './source-link.ts';

/** asked: no answer yet; text: the bytes of a string; payload: what DUMP gives. */
export const FOUND = { asked: 0, text: 1, payload: 2, gone: 3, big: 4, elsewhere: 5, refused: 6 } as const;
export type Found = (typeof FOUND)[keyof typeof FOUND];

export class FetchedValues {
  keys: KeyList;
  /** Which keys of the list, in this order. */
  readonly places = new Uint16Array(MOST_KEYS);
  count = 0;
  readonly found = new Uint8Array(MOST_KEYS);
  /** Where the value stands, in which of the replies; by place in the list, as all that follow. */
  readonly reply = new Uint8Array(MOST_KEYS);
  readonly start = new Float64Array(MOST_KEYS);
  readonly end = new Float64Array(MOST_KEYS);
  /** Unix ms, or -1. */
  readonly expiresAtMs = new Float64Array(MOST_KEYS);
  /** Bytes in the source's memory as it says, -1 when it was not asked. */
  readonly sizes = new Float64Array(MOST_KEYS);
  /** Why, of refused keys. */
  readonly reasons = new Map<number, string>();
  replies: Replies[] = [];

  constructor(keys: KeyList) {
    this.keys = keys;
  }

  begin(keys: KeyList): void {
    this.keys = keys;
    this.found.fill(FOUND.asked, 0, keys.count);
    this.reasons.clear();
  }
}
