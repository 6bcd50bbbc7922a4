// A buffer that grows with what is written to it: what a snapshot announces is never taken for granted.

/** The buffer itself, or one of twice its size or more with the same `used` bytes, that has room for `more`. */
export function withRoom(bytes: Buffer, used: number, more: number): Buffer {
  const needed = used + more;
  if (needed <= bytes.length) return bytes;
  const grown = Buffer.allocUnsafeSlow(Math.max(needed, bytes.length * 2));
  bytes.copy(grown, 0, 0, used);
  return grown;
}
