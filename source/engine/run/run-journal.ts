// What a run has to tell: notices, settled conflicts, refused writes. The last of each are kept for the screen; all of them go
// to whoever writes files.
import { CONFLICTS_KEPT, type ConflictRecord, type ToldConflict } from '../contract/conflict.ts';
import { NOTICES_KEPT, type Notice, type NoticeLevel } from '../contract/notice.ts';
import { REFUSALS_KEPT, type Refusal } from '../contract/result.ts';
import { keyInWords } from '../shard/refusal.ts';

/** Who gets all of it. */
export interface JournalListeners {
  /** Every notice and the first refusal, for the log file. */
  readonly onNotice?: (notice: Notice) => void;
  /** Every settled conflict, for the file of conflicts. */
  readonly onConflicts?: (conflicts: readonly ConflictRecord[]) => void;
  readonly onRefusals?: (refusals: readonly Refusal[]) => void;
}

export class RunJournal {
  readonly #listeners: JournalListeners;
  #notices: readonly Notice[] = [];
  #noticeCount = 0;
  #conflicts: readonly ConflictRecord[] = [];
  #conflictCount = 0;
  #refusals: readonly Refusal[] = [];

  constructor(listeners: JournalListeners) {
    this.#listeners = listeners;
  }

  /** The last ones, oldest first. */
  get notices(): readonly Notice[] {
    return this.#notices;
  }

  /** The last ones, oldest first. */
  get conflicts(): readonly ConflictRecord[] {
    return this.#conflicts;
  }

  /** The first ones. */
  get refusals(): readonly Refusal[] {
    return this.#refusals;
  }

  /** @param shard null: it is about the run. */
  notice(level: NoticeLevel, shard: string | null, message: string): void {
    const notice: Notice = { id: ++this.#noticeCount, timeMs: Date.now(), level, shard, message };
    this.#notices = [...this.#notices.slice(1 - NOTICES_KEPT), notice];
    this.#listeners.onNotice?.(notice);
  }

  conflictsSettled(told: readonly ToldConflict[]): void {
    const conflicts = told.map((conflict): ConflictRecord => ({ id: ++this.#conflictCount, ...conflict }));
    this.#conflicts = [...this.#conflicts, ...conflicts].slice(-CONFLICTS_KEPT);
    this.#listeners.onConflicts?.(conflicts);
  }

  refused(refusals: readonly Refusal[]): void {
    this.#listeners.onRefusals?.(refusals);
    const first = refusals[0];
    if (this.#refusals.length === 0 && first !== undefined) {
      this.notice(
        'warn',
        first.shard,
        `${first.command} of ${keyInWords(first.key, first.database)} was refused: ${first.reason}. All refusals are in the log file.`,
      );
    }
    this.#refusals = [...this.#refusals, ...refusals].slice(0, REFUSALS_KEPT);
  }
}
