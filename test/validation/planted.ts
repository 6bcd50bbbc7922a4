// The faults a comparer must find, each with the commands that build the same key rightly and wrongly. Data only.

import type { Command } from '../../source/validation/connection.ts';
import type { Aspect } from '../../source/validation/report.ts';

export interface Planted {
  readonly key: string;
  readonly aspects: readonly Aspect[];
  /** A word that the explanation must hold. */
  readonly says: string;
  readonly source: readonly Command[];
  readonly target: readonly Command[];
}

const AT = 4_000_000_000_000;
const many = (count: number, of: (index: number) => (string | number)[]): (string | number)[] => {
  return Array.from({ length: count }, (_, index) => of(index)).flat();
};

/** The same commands on both sides, and some more on the target. */
function changed(key: string, aspects: readonly Aspect[], says: string, both: Command[], onTarget: Command[]): Planted {
  return { key, aspects, says, source: both, target: [...both, ...onTarget] };
}

const stream = (key: string): Command[] => [
  ['XADD', key, '1-1', 'a', '1'],
  ['XADD', key, '2-1', 'a', '2'],
  ['XADD', key, '3-1', 'a', '3'],
  ['XGROUP', 'CREATE', key, 'g', '0'],
  ['XGROUP', 'CREATECONSUMER', key, 'g', 'c'],
  ['XCLAIM', key, 'g', 'c', '0', '1-1', 'TIME', '1700000000000', 'RETRYCOUNT', '2', 'FORCE', 'JUSTID'],
];

export const PLANTED: readonly Planted[] = [
  {
    key: 'p:missing',
    aspects: ['missing'],
    says: 'not on the target',
    source: [['SET', 'p:missing', 'x']],
    target: [],
  },
  { key: 'p:extra', aspects: ['extra'], says: 'only on the target', source: [], target: [['SET', 'p:extra', 'x']] },
  {
    key: 'p:type',
    aspects: ['type', 'ttl'],
    says: 'hash',
    source: [['SET', 'p:type', 'x']],
    target: [
      ['HSET', 'p:type', 'x', 'x'],
      ['PEXPIREAT', 'p:type', AT],
    ],
  },
  changed('p:string', ['value'], 'offset 2', [['SET', 'p:string', 'abcd']], [['SETRANGE', 'p:string', 2, 'X']]),
  changed(
    'p:string-length',
    ['value'],
    '4 bytes',
    [['SET', 'p:string-length', 'abcd']],
    [['APPEND', 'p:string-length', 'e']],
  ),
  changed(
    'p:string-big',
    ['value'],
    'offset 2999999',
    [['SETRANGE', 'p:string-big', 3_000_000, 'z']],
    [['SETRANGE', 'p:string-big', 2_999_999, 'y']],
  ),
  changed('p:list-cut', ['value'], '3 elements', [['RPUSH', 'p:list-cut', 1, 2, 3]], [['RPOP', 'p:list-cut']]),
  changed(
    'p:list-order',
    ['value'],
    'element 0',
    [['RPUSH', 'p:list-order', 1, 2]],
    [['LMOVE', 'p:list-order', 'p:list-order', 'LEFT', 'RIGHT']],
  ),
  changed(
    'p:list-long',
    ['value'],
    'element 4999',
    [['RPUSH', 'p:list-long', ...many(5000, (i) => [i])]],
    [['LSET', 'p:list-long', -1, 'x']],
  ),
  changed(
    'p:set',
    ['value'],
    '"b"',
    [['SADD', 'p:set', 'a', 'b']],
    [
      ['SREM', 'p:set', 'b'],
      ['SADD', 'p:set', 'c'],
    ],
  ),
  changed(
    'p:set-long',
    ['value'],
    '"77"',
    [['SADD', 'p:set-long', 'x', ...many(5000, (i) => [i])]],
    [
      ['SREM', 'p:set-long', '77'],
      ['SADD', 'p:set-long', '9999'],
    ],
  ),
  changed('p:hash', ['value'], '"f"', [['HSET', 'p:hash', 'f', 'v', 'g', 'v']], [['HSET', 'p:hash', 'f', 'w']]),
  changed(
    'p:hash-field',
    ['value'],
    '"g"',
    [['HSET', 'p:hash-field', 'f', 'v', 'g', '']],
    [
      ['HDEL', 'p:hash-field', 'g'],
      ['HSET', 'p:hash-field', 'h', ''],
    ],
  ),
  changed(
    'p:hash-long',
    ['value'],
    '"f-4321"',
    [['HSET', 'p:hash-long', ...many(5000, (i) => [`f-${i}`, i])]],
    [['HSET', 'p:hash-long', 'f-4321', '']],
  ),
  changed(
    'p:zset-ulp',
    ['value'],
    '"m"',
    [['ZADD', 'p:zset-ulp', '0.1', 'm', '3', 'n']],
    [['ZADD', 'p:zset-ulp', '0.10000000000000002', 'm']],
  ),
  changed(
    'p:zset-inf',
    ['value'],
    'Infinity',
    [['ZADD', 'p:zset-inf', 'inf', 'm']],
    [['ZADD', 'p:zset-inf', '1.7976931348623157e308', 'm']],
  ),
  changed(
    'p:zset-long',
    ['value'],
    '"m-1234"',
    [['ZADD', 'p:zset-long', ...many(5000, (i) => [i / 3, `m-${i}`])]],
    [['ZINCRBY', 'p:zset-long', '0.0001', 'm-1234']],
  ),
  changed(
    'p:ttl-missing',
    ['ttl'],
    'no expiry',
    [
      ['SET', 'p:ttl-missing', 'x'],
      ['PEXPIREAT', 'p:ttl-missing', AT],
    ],
    [['PERSIST', 'p:ttl-missing']],
  ),
  changed(
    'p:ttl-off',
    ['ttl'],
    'expires',
    [
      ['SET', 'p:ttl-off', 'x'],
      ['PEXPIREAT', 'p:ttl-off', AT],
    ],
    [['PEXPIREAT', 'p:ttl-off', AT + 1]],
  ),
  changed('p:ttl-extra', ['ttl'], 'no expiry', [['SET', 'p:ttl-extra', 'x']], [['PEXPIREAT', 'p:ttl-extra', AT]]),
  changed(
    'p:value-and-ttl',
    ['value', 'ttl'],
    'element 0',
    [['RPUSH', 'p:value-and-ttl', 'x']],
    [
      ['LSET', 'p:value-and-ttl', 0, 'y'],
      ['PEXPIREAT', 'p:value-and-ttl', AT],
    ],
  ),
  changed('p:stream-entry', ['value'], 'length', stream('p:stream-entry'), [['XDEL', 'p:stream-entry', '2-1']]),
  changed('p:stream-last', ['value'], 'last-generated-id', stream('p:stream-last'), [
    ['XSETID', 'p:stream-last', '9-9'],
  ]),
  changed('p:stream-added', ['value'], 'entries-added', stream('p:stream-added'), [
    ['XSETID', 'p:stream-added', '3-1', 'ENTRIESADDED', 7, 'MAXDELETEDID', '0-0'],
  ]),
  changed('p:stream-deleted', ['value'], 'max-deleted', stream('p:stream-deleted'), [
    ['XSETID', 'p:stream-deleted', '3-1', 'ENTRIESADDED', 3, 'MAXDELETEDID', '1-0'],
  ]),
  changed('p:stream-group', ['value'], 'only on the target', stream('p:stream-group'), [
    ['XGROUP', 'CREATE', 'p:stream-group', 'h', '0'],
  ]),
  changed('p:stream-position', ['value'], 'last-delivered-id', stream('p:stream-position'), [
    ['XGROUP', 'SETID', 'p:stream-position', 'g', '2-1'],
  ]),
  changed('p:stream-consumer', ['value'], 'consumers', stream('p:stream-consumer'), [
    ['XGROUP', 'CREATECONSUMER', 'p:stream-consumer', 'g', 'd'],
    ['XCLAIM', 'p:stream-consumer', 'g', 'd', '0', '1-1', 'TIME', '1700000000000', 'RETRYCOUNT', '2', 'JUSTID'],
  ]),
  changed('p:stream-ack', ['value'], 'pel-count', stream('p:stream-ack'), [['XACK', 'p:stream-ack', 'g', '1-1']]),
  changed('p:stream-count', ['value'], 'pending entry', stream('p:stream-count'), [
    ['XCLAIM', 'p:stream-count', 'g', 'c', '0', '1-1', 'TIME', '1700000000000', 'RETRYCOUNT', '3', 'JUSTID'],
  ]),
  changed('p:stream-time', ['value'], 'pending entry', stream('p:stream-time'), [
    ['XCLAIM', 'p:stream-time', 'g', 'c', '0', '1-1', 'TIME', '1700000000001', 'RETRYCOUNT', '2', 'JUSTID'],
  ]),
];

/** Keys that are equal though their DUMPs differ: other encodings, other orders of the hash tables. */
export const EQUAL_BUT_UNLIKE: readonly Pick<Planted, 'key' | 'source' | 'target'>[] = [
  {
    key: 'u:hash',
    source: [['HSET', 'u:hash', 'a', '1', 'b', '2']],
    target: [
      ['HSET', 'u:hash', 'long', 'x'.repeat(200), 'b', '2', 'a', '1'],
      ['HDEL', 'u:hash', 'long'],
    ],
  },
  {
    key: 'u:set',
    source: [['SADD', 'u:set', 1, 2, 3]],
    target: [
      ['SADD', 'u:set', 'word', 3, 2, 1],
      ['SREM', 'u:set', 'word'],
    ],
  },
  {
    key: 'u:zset',
    source: [['ZADD', 'u:zset', '0.1', 'm', '-0', 'zero', 'inf', 'i', '-inf', 'j']],
    target: [
      ['ZADD', 'u:zset', '1', 'x'.repeat(200), '0.10000000000000001', 'm', '-0', 'zero', '+inf', 'i', '-inf', 'j'],
      ['ZREM', 'u:zset', 'x'.repeat(200)],
    ],
  },
  {
    key: 'u:list',
    source: [['RPUSH', 'u:list', ...many(300, (i) => [`element-${i}`.repeat(10)])]],
    target: [['LPUSH', 'u:list', ...many(300, (i) => [`element-${299 - i}`.repeat(10)])]],
  },
  {
    key: 'u:string',
    source: [['SET', 'u:string', '12345']],
    target: [
      ['SET', 'u:string', '1234'],
      ['APPEND', 'u:string', '5'],
    ],
  },
  {
    key: 'u:stream',
    source: [['XADD', 'u:stream', 'NOMKSTREAM', '1-1', 'a', 'b'], ...stream('u:stream')],
    target: stream('u:stream'),
  },
];
