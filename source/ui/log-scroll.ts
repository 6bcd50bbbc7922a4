// Where the log stands. It is held by the id of its last notice, so that new notices never move what is being read;
// null follows the newest. Pure.
import type { Notice } from '../engine/contract.ts';

/**
 * The new last notice after scrolling by `step` notices. Reaching the newest follows it again; the oldest page is the end
 * on the other side, so that no key press goes unseen there.
 */
export const scrollLog = (
  notices: readonly Notice[],
  end: number | null,
  step: number,
  height: number,
): number | null => {
  const newest = notices.length - 1;
  const found = end === null ? newest : notices.findIndex((notice) => notice.id === end);
  // A notice that has left the list was the oldest one.
  const at = Math.max(0, found);
  const oldestPage = Math.min(newest, height - 1);
  const to = Math.max(oldestPage, at + step);
  return to >= newest ? null : (notices[to]?.id ?? null);
};
