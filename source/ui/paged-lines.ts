// A page of a list whose entries take one line or several, ended by the entry that the person scrolled to. Pure.
import type { Line } from './cells.ts';

export interface Numbered {
  readonly id: number;
}

export interface Page {
  readonly lines: Line[];
  /** Entries that lie before and behind the page. */
  readonly above: number;
  readonly below: number;
}

/** @param end id of the last entry shown; null for the newest. */
export const pageOf = <T extends Numbered>(
  entries: readonly T[],
  end: number | null,
  room: number,
  linesOf: (entry: T) => readonly Line[],
): Page => {
  const found = end === null ? entries.length - 1 : entries.findIndex((entry) => entry.id === end);
  let first = Math.max(0, found);
  let last = first;
  const page: Line[] = [];
  if (entries.length > 0) {
    for (let index = first; index >= 0 && page.length < room; index -= 1) {
      const entry = entries[index];
      if (entry === undefined) break;
      page.unshift(...linesOf(entry));
      first = index;
    }
    // The oldest page is filled from below, so that it does not stand half empty.
    while (first === 0 && page.length < room) {
      const entry = entries[last + 1];
      if (entry === undefined) break;
      page.push(...linesOf(entry));
      last += 1;
    }
  }
  const lines = page.length > room && first < last ? page.slice(0, room) : page.slice(-room);
  return { lines, above: first, below: Math.max(0, entries.length - 1 - last) };
};
