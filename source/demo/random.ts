// Random numbers that a seed decides: the same seed gives the same data on every machine. Not for secrets.

export interface Random {
  /** 0 up to, but not including, 1. */
  next(): number;
  /** A whole number from `from` up to, but not including, `to`. */
  between(from: number, to: number): number;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/** mulberry32, in the public domain: 32 bits of state, a few nanoseconds a number. */
export function createRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from));
  return { next, between, pick: (choices) => choices[between(0, choices.length)] ?? choices[0] };
}
