// Which database of the source goes to which of the target; those that are not named keep their number.

/** As the settings give it: `{"1": 0, "2": 5}`. */
export type DatabaseNumbers = Readonly<Record<string, number>>;

export class DatabaseMap {
  readonly isIdentity: boolean;
  readonly #to: readonly (number | undefined)[];
  readonly #named: readonly number[];

  constructor(numbers: DatabaseNumbers) {
    const to: (number | undefined)[] = [];
    for (const [from, target] of Object.entries(numbers)) to[Number(from)] = target;
    this.#to = to;
    this.#named = Object.keys(numbers).map(Number);
    this.isIdentity = this.#named.every((from) => to[from] === from);
  }

  of(database: number): number {
    return this.#to[database] ?? database;
  }

  /** The databases of the source that go to that one of the target. */
  sourcesOf(target: number): readonly number[] {
    const named = this.#named.filter((from) => this.of(from) === target);
    return this.of(target) === target && !named.includes(target) ? [target, ...named] : named;
  }
}
