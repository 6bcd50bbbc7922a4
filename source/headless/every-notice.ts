// Each notice of a run exactly once, however often a picture repeats it.
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Notice } from '../engine/contract/notice.ts';

/** A function that gives the notices of a picture which none before it had, oldest first. */
export const createNoticeReader = (): ((snapshot: EngineSnapshot) => readonly Notice[]) => {
  let last = Number.NEGATIVE_INFINITY;
  return ({ notices }) => {
    const fresh = notices.filter((notice) => notice.id > last);
    last = fresh.at(-1)?.id ?? last;
    return fresh;
  };
};
