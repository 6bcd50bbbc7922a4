// Two independent hashes of 32 bits over a key and its database, without an object: lanes, queue and own keys go by them.

export class KeyHash {
  low = 0;
  /** Never 0. */
  high = 1;

  of(database: number, bytes: Buffer, start: number, length: number): void {
    // cyrb53: two multiplicative hashes that are mixed at the end (public domain, bryc).
    let one = 0xdeadbeef ^ database;
    let two = 0x41c6ce57 ^ length;
    const end = start + length;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      one = Math.imul(one ^ byte, 2654435761);
      two = Math.imul(two ^ byte, 1597334677);
    }
    one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909);
    two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
    this.low = one >>> 0;
    this.high = two >>> 0 || 1;
  }
}
