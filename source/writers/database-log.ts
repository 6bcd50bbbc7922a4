// Which database the source's stream had selected at which offset: a stream that is played again begins in the right one.

/** Fewer entries than this are not worth the looking through. */
const FEW = 1000;

export class DatabaseLog {
  readonly #offsets: number[] = [];
  readonly #databases: number[] = [];
  #forgetAt = FEW;
  /** All that were ever selected, and 0. */
  readonly seen = new Set<number>([0]);

  /** From behind this offset on it is that one. */
  selected(database: number, offset: number): void {
    // Played again: what is known from here on comes once more.
    while (this.#offsets.length > 0 && (this.#offsets[this.#offsets.length - 1] as number) >= offset) {
      this.#offsets.pop();
      this.#databases.pop();
    }
    this.seen.add(database);
    this.#offsets.push(offset);
    this.#databases.push(database);
  }

  /** In force behind the command that ended at this offset. */
  at(offset: number): number {
    let at = this.#offsets.length - 1;
    while (at >= 0 && (this.#offsets[at] as number) > offset) at--;
    return this.#databases[at] ?? 0;
  }

  /** So many entries that it is time to forget the oldest. */
  get full(): boolean {
    return this.#offsets.length >= this.#forgetAt;
  }

  /** Nobody asks for what lies before this offset any more. */
  forget(offset: number): void {
    let known = 0;
    while (known + 1 < this.#offsets.length && (this.#offsets[known + 1] as number) <= offset) known++;
    this.#offsets.splice(0, known);
    this.#databases.splice(0, known);
    this.#forgetAt = FEW + 2 * this.#offsets.length;
  }
}
