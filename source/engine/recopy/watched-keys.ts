// Keys whose commands are held back until their values are written anew (recopier.ts). Asked for every key of the stream
// while a re-copy is under way: a key that is not watched costs a hash of its bytes and no object.

/** A key of one database. */
export interface DatabaseKey {
  readonly database: number;
  readonly key: Buffer;
}

export interface WatchedKey<Asker> extends DatabaseKey {
  /** Commands that end up to this offset are held back; Infinity before the value is fetched. */
  until: number;
  /** Who is to be told of its end. */
  readonly askers: Asker[];
}

const FILTER_SIZE = 1 << 16;

export class WatchedKeys<Asker> {
  readonly #keys = new Map<string, WatchedKey<Asker>>();
  /** How many watched keys have each hash. */
  readonly #filter = new Uint32Array(FILTER_SIZE);

  get size(): number {
    return this.#keys.size;
  }

  /** Watches the key from now on, without an end; null when it was watched already, and `asker` waits for that. */
  watch({ database, key }: DatabaseKey, asker: Asker | null): WatchedKey<Asker> | null {
    const id = idOf(database, key, 0, key.length);
    const known = this.#keys.get(id);
    if (known !== undefined) {
      if (asker !== null) known.askers.push(asker);
      return null;
    }
    const watched = { database, key, until: Number.POSITIVE_INFINITY, askers: asker === null ? [] : [asker] };
    this.#keys.set(id, watched);
    this.#count(key, 1);
    return watched;
  }

  unwatch({ database, key }: DatabaseKey): void {
    if (this.#keys.delete(idOf(database, key, 0, key.length))) this.#count(key, -1);
  }

  /** Whether a command that ends at this offset is held back for the key at bytes[start, start + length). */
  holds(database: number, bytes: Buffer, start: number, length: number, endOffset: number): boolean {
    if (this.#keys.size === 0 || this.#filter[hashOf(bytes, start, length)] === 0) return false;
    const watched = this.#keys.get(idOf(database, bytes, start, length));
    return watched !== undefined && endOffset <= watched.until;
  }

  isWatched({ database, key }: DatabaseKey): boolean {
    return this.#keys.has(idOf(database, key, 0, key.length));
  }

  /** All of them, in the order in which they were first watched. */
  all(): readonly WatchedKey<Asker>[] {
    return [...this.#keys.values()];
  }

  #count(key: Buffer, change: 1 | -1): void {
    const hash = hashOf(key, 0, key.length);
    this.#filter[hash] = (this.#filter[hash] as number) + change;
  }
}

function idOf(database: number, bytes: Buffer, start: number, length: number): string {
  return `${database}:${bytes.toString('latin1', start, start + length)}`;
}

/** FNV-1a, folded to the filter's size. */
function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  const end = start + length;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return (hash ^ (hash >>> 16)) & (FILTER_SIZE - 1);
}
