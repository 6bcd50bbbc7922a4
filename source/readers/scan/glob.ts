// The globs of Redis (stringmatchlen, util.c): * ? [a-z] [^a] and \ before a character that stands for itself.

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;
const BACKSLASH = 92;

const compiled = new Map<string, Buffer>();

/** Whether the key at bytes[start, start + length) matches. */
export function globMatches(glob: string, bytes: Buffer, start: number, length: number): boolean {
  let pattern = compiled.get(glob);
  if (pattern === undefined) {
    pattern = Buffer.from(glob);
    compiled.set(glob, pattern);
  }
  return matches(pattern, 0, bytes, start, start + length);
}

function matches(pattern: Buffer, from: number, bytes: Buffer, at: number, end: number): boolean {
  let p = from;
  let i = at;
  /** Where to go on when what follows the last star does not match here. */
  let star = -1;
  let starAt = 0;
  for (;;) {
    if (p === pattern.length && i === end) return true;
    if (p < pattern.length && pattern[p] === STAR) {
      star = ++p;
      starAt = i;
      continue;
    }
    const behind = p < pattern.length && i < end ? one(pattern, p, bytes[i] as number) : -1;
    if (behind >= 0) {
      p = behind;
      i++;
    } else {
      if (star < 0 || starAt >= end) return false;
      p = star;
      i = ++starAt;
    }
  }
}

/** The place behind the element of the pattern that takes this byte, or -1. */
function one(pattern: Buffer, at: number, byte: number): number {
  switch (pattern[at]) {
    case QUESTION:
      return at + 1;
    case OPEN:
      return oneOf(pattern, at + 1, byte);
    case BACKSLASH: {
      const escaped = at + 1 < pattern.length ? at + 1 : at;
      return pattern[escaped] === byte ? escaped + 1 : -1;
    }
    default:
      return pattern[at] === byte ? at + 1 : -1;
  }
}

function oneOf(pattern: Buffer, from: number, byte: number): number {
  let at = from;
  const inverted = pattern[at] === CARET;
  if (inverted) at++;
  let found = false;
  while (at < pattern.length && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < pattern.length) at++;
    const low = pattern[at] as number;
    if (pattern[at + 1] === DASH && at + 2 < pattern.length) {
      const high = pattern[at + 2] as number;
      if (Math.min(low, high) <= byte && byte <= Math.max(low, high)) found = true;
      at += 3;
    } else {
      if (low === byte) found = true;
      at++;
    }
  }
  return found !== inverted ? Math.min(at + 1, pattern.length) : -1;
}
