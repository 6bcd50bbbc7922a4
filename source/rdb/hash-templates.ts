// The field names that a file gives once and its hashes refer to by a number (Redis 8.10, opcode 242).

/** The templates defined so far. A file defines each before the first hash that refers to it. */
export class HashTemplates {
  readonly #fields = new Map<number | bigint, readonly Buffer[]>();

  /** @param fields the names; kept as they are. A second definition of the same number takes the first one's place. */
  define(id: number | bigint, fields: readonly Buffer[]): void {
    this.#fields.set(sameForBoth(id), fields);
  }

  /** The names in the order of a hash's values; null when nothing defined that number. */
  fields(id: number | bigint): readonly Buffer[] | null {
    return this.#fields.get(sameForBoth(id)) ?? null;
  }
}

/** A Map tells 1 from 1n. */
function sameForBoth(id: number | bigint): number | bigint {
  return typeof id === 'bigint' && BigInt.asIntN(53, id) === id ? Number(id) : id;
}
