// Replies that prove that the target's state is not the source's: a source passes a write on only when it took effect
// there, so one that finds nothing to do here, or another type, has met another value. What the source sends without an
// effect of its own (HSET of the same value, SETBIT, INCR to 0) is not among them.

/** Commands that answer 0 when they have done nothing, and that no source passes on then (server.dirty in Redis 6.0 to 8.0). */
const ZERO_IS_NOTHING: ReadonlySet<string> = new Set([
  'COPY',
  'EXPIREAT',
  'HDEL',
  'HSETNX',
  'LPUSHX',
  'LREM',
  'MOVE',
  'MSETNX',
  'PERSIST',
  'PEXPIREAT',
  'RENAMENX',
  'RPUSHX',
  'SETNX',
  'SMOVE',
  'SREM',
  'XACK',
  'XDEL',
  'ZREM',
  'ZREMRANGEBYLEX',
  'ZREMRANGEBYRANK',
  'ZREMRANGEBYSCORE',
]);

/** Errors that only a value other than the source's can be the cause of. */
const OTHER_VALUE =
  /^WRONGTYPE|^BUSYGROUP|^NOGROUP|no such key|equal or smaller than the target stream|not an integer|not a (valid )?float|index out of range/;

/** Whether 0 as the reply to this command proves it. */
export function provesByZero(args: readonly Buffer[]): boolean {
  return ZERO_IS_NOTHING.has((args[0]?.toString('latin1') ?? '').toUpperCase());
}

/** Whether this error proves it. */
export function provesByError(text: string): boolean {
  return OTHER_VALUE.test(text);
}
