// 64 bits that stand for a key, in two numbers: two keys have the same ones once in 10^19 pairs.

export class KeyHash {
  high = 0;
  /** Never 0. */
  low = 1;

  /** Takes on the hash of `bytes` from `from` up to `to`. `salt` tells keys of one name apart. */
  of(bytes: Uint8Array, from: number, to: number, salt: number): this {
    let high = 0x811c9dc5 ^ salt;
    let low = 0x9747b28c;
    for (let i = from; i < to; i++) {
      const byte = bytes[i] as number;
      high = Math.imul(high ^ byte, 0x01000193);
      low = Math.imul((low << 5) ^ (low >>> 27) ^ byte, 0x5bd1e995);
    }
    this.high = scatter(high ^ low);
    this.low = scatter(low + this.high) || 1;
    return this;
  }
}

/** The finish of MurmurHash3: every bit reaches every other. */
function scatter(hash: number): number {
  let mixed = hash;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
