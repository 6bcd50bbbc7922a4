// One key of every type and of the encodings that servers choose by size, with everything that may get lost on the way:
// binary names, scores to the last bit, expiries, what a stream remembers. Commands that the server does not know yet
// are left out.
import { Redis } from 'ioredis';
import type { Place } from './migration.ts';

type Argument = string | number | Buffer;
export type WriteCommand = readonly [name: string, ...args: Argument[]];

const BINARY = Buffer.from([0, 255, 13, 10, 128, 36]);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** @param elements of the big collections. */
function collections(elements: number): WriteCommand[] {
  const some = range(elements);
  return [
    ['SET', 'string:text', 'a text'],
    ['SET', 'string:number', '-1234567890'],
    ['SET', Buffer.concat([Buffer.from('string:binary:'), BINARY]), BINARY],
    ['SET', 'string:empty', ''],
    ['SET', 'string:repeats', 'ab'.repeat(5000)],
    ['SET', 'string:long', Buffer.from(some.map((i) => (i * 2654435761) & 255))],
    ['RPUSH', 'list:small', 'a', '1', '-70000', BINARY, ''],
    ['RPUSH', 'list:big', ...some.map((i) => `element ${i}`)],
    ['RPUSH', 'list:wide', 'x'.repeat(20_000), 'y'.repeat(9000), 'z'],
    ['SADD', 'set:numbers', ...range(100).map((i) => i * 70_000 - 3_000_000)],
    ['SADD', 'set:wide-numbers', '1', '9007199254740993', '-9223372036854775808'],
    ['SADD', 'set:small', 'a', 'b', BINARY],
    ['SADD', 'set:big', ...some.map((i) => `member ${i}`)],
    ['ZADD', 'zset:small', '1.5', 'a', '-inf', 'least', 'inf', 'most', '0.1', BINARY, '3', 'three'],
    ['ZADD', 'zset:fine', '0.30000000000000004', 'sum', '5e-324', 'tiny', '1.7976931348623157e308', 'huge'],
    ['ZADD', 'zset:big', ...some.flatMap((i) => [Math.sin(i) * 10 ** (i % 30), `member ${i}`])],
    ['HSET', 'hash:small', 'f', 'v', BINARY, BINARY, 'number', '12'],
    ['HSET', 'hash:wide', 'f', 'v'.repeat(500)],
    ['HSET', 'hash:big', ...some.flatMap((i) => [`field ${i}`, `value ${i}`])],
  ];
}

const STREAM: readonly WriteCommand[] = [
  ...range(250).map((i): WriteCommand => ['XADD', 'stream', `${1000 + i}-${i % 3}`, 'f', `v${i}`, BINARY, BINARY]),
  ['XADD', 'stream', '5000-18446744073709551615', 'other', 'fields', 'here', '1'],
  ['XDEL', 'stream', '1100-1', '1101-2'],
  ['XGROUP', 'CREATE', 'stream', 'group', '1050-2'],
  ['XGROUP', 'CREATE', 'stream', 'empty group', '0'],
  ['XREADGROUP', 'GROUP', 'group', 'alice', 'COUNT', '20', 'STREAMS', 'stream', '>'],
  ['XREADGROUP', 'GROUP', 'group', BINARY, 'COUNT', '5', 'STREAMS', 'stream', '>'],
  ['XACK', 'stream', 'group', '1053-0'],
  ['XCLAIM', 'stream', 'group', 'alice', '0', '1071-2', 'TIME', '1700000000000', 'RETRYCOUNT', '7', 'JUSTID'],
  ['XADD', 'stream:one', '7-1', 'a', 'b'],
  ['XADD', 'stream:emptied', '7-1', 'a', 'b'],
  ['XDEL', 'stream:emptied', '7-1'],
  ['XGROUP', 'CREATE', 'stream:only-group', 'g', '0', 'MKSTREAM'],
];

/** Expiries far enough away that no test sees them pass. */
function expiries(): WriteCommand[] {
  const day = Date.now() + 86_400_000;
  return ['string:text', 'list:small', 'zset:big', 'hash:small', 'stream:one'].map((key, i) => [
    'PEXPIREAT',
    key,
    day + i * 1001,
  ]);
}

/** Redis 7.4 and Valkey 9. */
function fieldExpiries(): WriteCommand[] {
  const day = Date.now() + 86_400_000;
  return [
    ['HSET', 'hash:fields-expire', 'a', '1', 'b', '2', BINARY, '3', 'never', '4'],
    ['HPEXPIREAT', 'hash:fields-expire', day, 'FIELDS', '2', 'a', BINARY],
    ['HPEXPIREAT', 'hash:fields-expire', day + 777_777, 'FIELDS', '1', 'b'],
    ['HPEXPIREAT', 'hash:big', day, 'FIELDS', '1', 'field 3'],
  ];
}

export interface TypedDataOptions {
  readonly elements?: number;
  readonly fieldExpiry?: boolean;
}

/** Writes one of everything; throws when the server refuses what it should know. */
export async function writeTypedData({ host, port }: Place, options: TypedDataOptions = {}): Promise<void> {
  const { elements = 1500, fieldExpiry = false } = options;
  const redis = new Redis({ host, port });
  try {
    const commands = [...collections(elements), ...STREAM, ...expiries(), ...(fieldExpiry ? fieldExpiries() : [])];
    for (const [name, ...args] of commands) await redis.call(name, ...args);
  } finally {
    redis.disconnect();
  }
}
