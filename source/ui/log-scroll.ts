// Where a log stands. It is held by the id of its last entry, so that new ones never move what is being read;
// null follows the newest. Pure.
import type { Numbered } from './paged-lines.ts';

/**
 * The new last entry after scrolling by `step` entries. Reaching the newest follows it again; the oldest page is the end
 * on the other side, so that no key press goes unseen there.
 */
export const scrollLog = (
  entries: readonly Numbered[],
  end: number | null,
  step: number,
  height: number,
): number | null => {
  const newest = entries.length - 1;
  const found = end === null ? newest : entries.findIndex((entry) => entry.id === end);
  // One that has left the list was the oldest one.
  const at = Math.max(0, found);
  const oldestPage = Math.min(newest, height - 1);
  const to = Math.max(oldestPage, at + step);
  return to >= newest ? null : (entries[to]?.id ?? null);
};
