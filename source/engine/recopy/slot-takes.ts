// Slots that a pipeline is to carry from now on, a few at a time: first they wait to be listed, then the stream has to come
// to the offset at which they were.

/** More at once would hold the names of too many keys. */
const SLOTS_AT_ONCE = 64;

export interface SlotTake<Asker> {
  readonly slots: readonly number[];
  /** The target may have keys of theirs that the source has not. */
  readonly sweep: boolean;
  readonly asker: Asker;
}

export class SlotTakes<Asker> {
  #waiting: SlotTake<Asker>[] = [];
  #listed: { readonly take: SlotTake<Asker>; readonly offset: number } | null = null;

  get pending(): boolean {
    return this.#waiting.length > 0 || this.#listed !== null;
  }

  /** What is to be listed next; null while the one before is not carried yet. */
  get next(): SlotTake<Asker> | null {
    return this.#listed === null ? (this.#waiting[0] ?? null) : null;
  }

  /** Whose slots are not carried yet. */
  get askers(): readonly Asker[] {
    return [...this.#waiting, ...(this.#listed === null ? [] : [this.#listed.take])].map(({ asker }) => asker);
  }

  /** In how many parts these slots are taken. */
  static parts(slots: readonly number[]): number {
    return Math.ceil(slots.length / SLOTS_AT_ONCE);
  }

  add({ slots, sweep, asker }: SlotTake<Asker>): void {
    for (let from = 0; from < slots.length; from += SLOTS_AT_ONCE)
      this.#waiting.push({ slots: slots.slice(from, from + SLOTS_AT_ONCE), sweep, asker });
  }

  /** `next` was listed at this offset. */
  listed(offset: number): void {
    const take = this.#waiting.shift();
    if (take !== undefined) this.#listed = { take, offset };
  }

  /** What was listed at or before `reached`, once; with its offset. */
  due(reached: number): { readonly take: SlotTake<Asker>; readonly offset: number } | null {
    const listed = this.#listed;
    if (listed === null || listed.offset > reached) return null;
    this.#listed = null;
    return listed;
  }

  /** Takes away what was never listed. */
  giveUp(): readonly SlotTake<Asker>[] {
    return this.#waiting.splice(0);
  }
}
