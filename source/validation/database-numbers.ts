// In which databases a key is looked for on both sides, where the run gives databases of the source other numbers on the
// target. Written apart from the engine's map on purpose: what that gets wrong must not look right here. Pure.

/** As the settings give it: `{"1": 0, "2": 5}`; what is not named keeps its number. */
export type DatabaseNumbers = Readonly<Record<string, number>>;

/** A key as one side names it. */
export interface SidedKey {
  /** Whose number `database` is. */
  readonly side: 'source' | 'target';
  readonly database: number;
}

/** Where the same key is on both sides. */
export interface KeyPlaces {
  /** None where nothing of the source goes to that database of the target; several where some are put together there. */
  readonly source: readonly number[];
  readonly target: number;
}

/** The database of the target that one of the source goes to. */
export function targetOf(numbers: DatabaseNumbers | undefined, database: number): number {
  return numbers?.[String(database)] ?? database;
}

/** The databases of the source that go to one of the target. */
export function sourcesOf(numbers: DatabaseNumbers | undefined, database: number): readonly number[] {
  const renumbered = Object.keys(numbers ?? {})
    .map(Number)
    .filter((from) => from !== database && targetOf(numbers, from) === database);
  return targetOf(numbers, database) === database ? [database, ...renumbered] : renumbered;
}

export function placesOf(numbers: DatabaseNumbers | undefined, { side, database }: SidedKey): KeyPlaces {
  return side === 'source'
    ? { source: [database], target: targetOf(numbers, database) }
    : { source: sourcesOf(numbers, database), target: database };
}
