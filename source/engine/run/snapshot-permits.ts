// How many source shards of one host may make a snapshot at the same time: forks of several servers at once on one
// machine double its memory and starve its disk. First come, first served, per host.

export class SnapshotPermits {
  readonly #limit: number;
  readonly #grant: (shard: number) => void;
  readonly #held = new Map<string, Set<number>>();
  readonly #waiting: { readonly shard: number; readonly host: string }[] = [];

  /** @param grant called for each shard whose turn it is. */
  constructor(limit: number, grant: (shard: number) => void) {
    this.#limit = limit;
    this.#grant = grant;
  }

  want(shard: number, host: string): void {
    this.#waiting.push({ shard, host });
    this.#next();
  }

  /** The shard has its snapshot, or gave up; also when it never had a permit. */
  giveBack(shard: number): void {
    for (const holders of this.#held.values()) holders.delete(shard);
    const place = this.#waiting.findIndex((entry) => entry.shard === shard);
    if (place >= 0) this.#waiting.splice(place, 1);
    this.#next();
  }

  #next(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const entry = this.#waiting[i];
      if (entry === undefined) return;
      const holders = this.#held.get(entry.host) ?? new Set<number>();
      this.#held.set(entry.host, holders);
      if (holders.size >= this.#limit) {
        i++;
        continue;
      }
      this.#waiting.splice(i, 1);
      holders.add(entry.shard);
      this.#grant(entry.shard);
    }
  }
}
