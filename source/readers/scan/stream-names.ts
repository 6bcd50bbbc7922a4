// The streams that a scan has met: XREADGROUP, XACK and XCLAIM change their groups without any event or invalidation (seen
// on Redis 7.0 and 8.0), so they are fetched again now and then, and at the end.

/** Beyond this, names are not kept: a source with so many streams has to be told to rest before the end. */
const MOST_NAMES = 100_000;

export class StreamNames {
  /** Some were not kept. */
  incomplete = false;
  readonly #names = new Set<string>();

  add(database: number, key: Buffer): void {
    if (this.#names.size >= MOST_NAMES) this.incomplete = true;
    else this.#names.add(`${database}:${key.toString('latin1')}`);
  }

  each(give: (database: number, key: Buffer) => void): void {
    for (const name of this.#names) {
      const colon = name.indexOf(':');
      give(Number(name.slice(0, colon)), Buffer.from(name.slice(colon + 1), 'latin1'));
    }
  }
}
