// Random numbers that a seed decides, so that a sample can be drawn a second time. Not for secrets. Written apart from the
// demo's: that one's 32 bits of state repeat too soon for cursors of 48 bits.

export interface Random {
  /** 32 random bits as a whole number. */
  bits(): number;
  /** A whole number from 0 up to, but not including, `end`; `end` is at most 2^53. */
  below(end: number): number;
}

const TWO_32 = 4_294_967_296;
const TWO_21 = 2_097_152;
/** The state needs some rounds until every bit of the seed has reached every word. */
const WARM_UP = 16;

/** sfc32 (Chris Doty-Humphrey, public domain): 128 bits of state, passes PractRand. */
export function seededRandom(seed: number): Random {
  let a = seed >>> 0;
  let b = Math.floor(seed / TWO_32) >>> 0;
  let c = 0x9e3779b9;
  let counter = 1;
  const bits = (): number => {
    const mixed = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + mixed) | 0;
    return mixed >>> 0;
  };
  for (let round = 0; round < WARM_UP; round++) bits();
  return {
    bits,
    below: (end) => {
      const fraction = ((bits() >>> 11) * TWO_32 + bits()) / (TWO_21 * TWO_32);
      return Math.floor(fraction * end);
    },
  };
}
