// The writes of the demo's live load: for every type the command families that replication carries, each on keys of its
// own (`load:<family>:{<n>}`), so that none meets a wrong type. One hash tag for each number, so that commands with
// several keys work in a cluster.

import type { Command } from '../validation/connection.ts';
import type { Random } from './random.ts';

/** What an operation writes with: names of this number's keys, and a memory of stream ids. */
export interface LoadContext {
  readonly random: Random;
  /** `load:<family>:{<n>}`; `suffix` for a second key of the same slot. */
  key(family: string, suffix?: string): string;
  /** An id that XADD answered for this number's stream lately, or one that never was. */
  streamId(): string;
  /** Another database than the current one, or null in a cluster or with one database. */
  readonly otherDatabase: number | null;
}

export interface LoadOperation {
  readonly name: string;
  /** A command the server must know, which also stands for options of its version. */
  readonly needs?: string;
  readonly commands: (context: LoadContext) => readonly Command[];
}

const SCRIPT = `local n = redis.call('INCR', KEYS[1])
redis.call('RPUSH', KEYS[2], ARGV[1], n)
redis.call('LTRIM', KEYS[2], -20, -1)
redis.call('PEXPIRE', KEYS[1], 600000)
return n`;

const op = (name: string, commands: LoadOperation['commands'], needs?: string): LoadOperation => {
  return needs === undefined ? { name, commands } : { name, commands, needs };
};

const word = (c: LoadContext): string => `w${c.random.between(0, 200)}`;
const small = (c: LoadContext): number => c.random.between(1, 100);
const farMs = (c: LoadContext): number => c.random.between(120_000, 3_600_000);
const atMs = (c: LoadContext): number => Date.now() + farMs(c);

const STRINGS: readonly LoadOperation[] = [
  op('set', (c) => [['SET', c.key('string'), `value-${c.random.between(0, 1e9)}`]]),
  op('set px', (c) => [['SET', c.key('string'), 'px', 'PX', farMs(c)]]),
  op('set short', (c) => [['SET', c.key('temporary'), 'soon gone', 'PX', c.random.between(500, 4000)]]),
  op('set keepttl', (c) => [['SET', c.key('string'), 'kept', 'KEEPTTL']]),
  op('set nx', (c) => [['SET', c.key('string', 'nx'), word(c), 'NX', 'EX', 300]]),
  op('set xx get', (c) => [['SET', c.key('string'), word(c), 'XX', 'GET']], 'getdel'),
  op('set exat', (c) => [['SET', c.key('string'), 'exat', 'PXAT', atMs(c)]], 'getdel'),
  op('setex', (c) => [['SETEX', c.key('string'), 600, word(c)]]),
  op('psetex', (c) => [['PSETEX', c.key('string'), farMs(c), word(c)]]),
  op('getset', (c) => [['GETSET', c.key('string'), word(c)]]),
  op('getex', (c) => [['GETEX', c.key('string'), 'PX', farMs(c)]], 'getex'),
  op('getdel', (c) => [['GETDEL', c.key('string', 'nx')]], 'getdel'),
  op('append', (c) => [['APPEND', c.key('string', 'long'), word(c)]]),
  op('setrange', (c) => [['SETRANGE', c.key('string', 'long'), c.random.between(0, 400), word(c)]]),
  op('cut', (c) => [['SET', c.key('string', 'long'), 'short again']]),
  op('incr', (c) => [['INCR', c.key('counter')]]),
  op('incrby', (c) => [['INCRBY', c.key('counter'), small(c)]]),
  op('decr', (c) => [['DECRBY', c.key('counter'), small(c)]]),
  op('incrbyfloat', (c) => [['INCRBYFLOAT', c.key('counter', 'float'), '0.1']]),
  op('setbit', (c) => [['SETBIT', c.key('bits'), c.random.between(0, 2000), 1]]),
  op('bitfield', (c) => [['BITFIELD', c.key('bits'), 'INCRBY', 'u8', '#3', 1]]),
  op('bitop', (c) => [['BITOP', 'XOR', c.key('bits', 'xor'), c.key('bits'), c.key('string', 'long')]]),
  op('mset', (c) => [['MSET', c.key('string', 'm1'), word(c), c.key('string', 'm2'), word(c)]]),
  op('msetnx', (c) => [['MSETNX', c.key('string', 'm3'), word(c), c.key('string', 'm4'), word(c)]]),
];

const LISTS: readonly LoadOperation[] = [
  op('lpush', (c) => [['LPUSH', c.key('list'), word(c), small(c)]]),
  op('rpush', (c) => [['RPUSH', c.key('list', 'b'), word(c), word(c), '']]),
  op('pushx', (c) => [['RPUSHX', c.key('list'), word(c)]]),
  op('rpop', (c) => [['RPOP', c.key('list')]]),
  op('lpop count', (c) => [['LPOP', c.key('list'), 2]], 'getdel'),
  op('lmpop', (c) => [['LMPOP', 2, c.key('list'), c.key('list', 'b'), 'RIGHT', 'COUNT', 2]], 'lmpop'),
  op('lmove', (c) => [['LMOVE', c.key('list'), c.key('list', 'b'), 'LEFT', 'RIGHT']], 'lmove'),
  op('rpoplpush', (c) => [['RPOPLPUSH', c.key('list', 'b'), c.key('list')]]),
  op('blpop', (c) => [
    ['RPUSH', c.key('list', 'block'), word(c)],
    ['BLPOP', c.key('list', 'block'), '0.01'],
  ]),
  op('ltrim', (c) => [
    ['LTRIM', c.key('list'), 0, 80],
    ['LTRIM', c.key('list', 'b'), -80, -1],
  ]),
  op('lset', (c) => [
    ['LPUSH', c.key('list'), 'first'],
    ['LSET', c.key('list'), 0, word(c)],
  ]),
  op('linsert', (c) => [['LINSERT', c.key('list'), 'BEFORE', word(c), 'inserted']]),
  op('lrem', (c) => [['LREM', c.key('list', 'b'), 1, word(c)]]),
];

const SETS: readonly LoadOperation[] = [
  op('sadd', (c) => [['SADD', c.key('set'), word(c), word(c), small(c)]]),
  op('sadd b', (c) => [['SADD', c.key('set', 'b'), word(c), small(c)]]),
  op('sadd int', (c) => [['SADD', c.key('set', 'int'), small(c)]]),
  op('srem', (c) => [['SREM', c.key('set'), word(c), word(c)]]),
  op('spop', (c) => [['SPOP', c.key('set')]]),
  op('spop count', (c) => [['SPOP', c.key('set', 'b'), 3]]),
  op('smove', (c) => [['SMOVE', c.key('set'), c.key('set', 'b'), word(c)]]),
  op('sinterstore', (c) => [['SINTERSTORE', c.key('set', 'inter'), c.key('set'), c.key('set', 'b')]]),
  op('sunionstore', (c) => [['SUNIONSTORE', c.key('set', 'union'), c.key('set'), c.key('set', 'b')]]),
  op('sdiffstore', (c) => [['SDIFFSTORE', c.key('set', 'diff'), c.key('set'), c.key('set', 'b')]]),
];

const HASHES: readonly LoadOperation[] = [
  op('hset', (c) => [['HSET', c.key('hash'), word(c), small(c), word(c), 'text']]),
  op('hmset', (c) => [['HMSET', c.key('hash'), word(c), word(c)]]),
  op('hsetnx', (c) => [['HSETNX', c.key('hash'), word(c), '']]),
  op('hdel', (c) => [['HDEL', c.key('hash'), word(c), word(c)]]),
  op('hincrby', (c) => [['HINCRBY', c.key('hash', 'n'), word(c), small(c)]]),
  op('hincrbyfloat', (c) => [['HINCRBYFLOAT', c.key('hash', 'f'), word(c), '1.7']]),
  op('hpexpire', (c) => [['HPEXPIRE', c.key('hash'), farMs(c), 'FIELDS', 1, word(c)]], 'hpexpire'),
  op('hpersist', (c) => [['HPERSIST', c.key('hash'), 'FIELDS', 1, word(c)]], 'hpersist'),
];

const SORTED_SETS: readonly LoadOperation[] = [
  op('zadd', (c) => [['ZADD', c.key('zset'), c.random.next() * 1000, word(c), small(c), word(c)]]),
  op('zadd b', (c) => [['ZADD', c.key('zset', 'b'), -c.random.next(), word(c), 'inf', 'top']]),
  op('zadd nx', (c) => [['ZADD', c.key('zset'), 'NX', 'CH', small(c), word(c)]]),
  op('zadd xx', (c) => [['ZADD', c.key('zset'), 'XX', small(c), word(c)]]),
  op('zadd gt', (c) => [['ZADD', c.key('zset'), 'GT', small(c), word(c)]], 'getdel'),
  op('zadd incr', (c) => [['ZADD', c.key('zset'), 'INCR', '0.5', word(c)]]),
  op('zincrby', (c) => [['ZINCRBY', c.key('zset'), '0.1', word(c)]]),
  op('zrem', (c) => [['ZREM', c.key('zset'), word(c), word(c)]]),
  op('zpopmin', (c) => [['ZPOPMIN', c.key('zset')]]),
  op('zpopmax', (c) => [['ZPOPMAX', c.key('zset', 'b'), 2]]),
  op('zmpop', (c) => [['ZMPOP', 2, c.key('zset'), c.key('zset', 'b'), 'MIN']], 'zmpop'),
  op('zunionstore', (c) => [['ZUNIONSTORE', c.key('zset', 'u'), 2, c.key('zset'), c.key('set'), 'WEIGHTS', 2, 1]]),
  op('zinterstore', (c) => [['ZINTERSTORE', c.key('zset', 'i'), 2, c.key('zset'), c.key('zset', 'b')]]),
  op('zdiffstore', (c) => [['ZDIFFSTORE', c.key('zset', 'd'), 2, c.key('zset'), c.key('zset', 'b')]], 'zdiffstore'),
  op('zrangestore', (c) => [['ZRANGESTORE', c.key('zset', 'r'), c.key('zset'), 0, 10]], 'zrangestore'),
  op('zremrangebyrank', (c) => [['ZREMRANGEBYRANK', c.key('zset'), 60, -1]]),
  op('zremrangebyscore', (c) => [['ZREMRANGEBYSCORE', c.key('zset', 'b'), '-0.2', '(0']]),
  op('zremrangebylex', (c) => [
    ['ZADD', c.key('zset', 'lex'), 0, word(c)],
    ['ZREMRANGEBYLEX', c.key('zset', 'lex'), '[w1', '[w11'],
  ]),
  op('geoadd', (c) => [['GEOADD', c.key('geo'), c.random.next() * 90, c.random.next() * 60, word(c)]]),
  op(
    'geosearchstore',
    (c) => [['GEOSEARCHSTORE', c.key('geo', 's'), c.key('geo'), 'FROMLONLAT', 45, 30, 'BYRADIUS', 900, 'km']],
    'geosearchstore',
  ),
];

const STREAMS: readonly LoadOperation[] = [
  op('xadd', (c) => [['XADD', c.key('stream'), '*', 'n', small(c), 'word', word(c)]]),
  op('xadd maxlen', (c) => [['XADD', c.key('stream'), 'MAXLEN', 60, '*', 'n', small(c)]]),
  op('xadd about', (c) => [['XADD', c.key('stream'), 'MAXLEN', '~', 100, '*', 'n', small(c)]]),
  op('xdel', (c) => [['XDEL', c.key('stream'), c.streamId()]]),
  op('xtrim', (c) => [['XTRIM', c.key('stream'), 'MAXLEN', 50]]),
  op('xreadgroup', (c) => [
    ['XREADGROUP', 'GROUP', 'g', c.random.pick(['a', 'b']), 'COUNT', 2, 'STREAMS', c.key('stream'), '>'],
  ]),
  op('xreadgroup noack', (c) => [
    ['XREADGROUP', 'GROUP', 'h', 'n', 'COUNT', 3, 'NOACK', 'STREAMS', c.key('stream'), '>'],
  ]),
  op('xack', (c) => [['XACK', c.key('stream'), 'g', c.streamId(), c.streamId()]]),
  op('xclaim', (c) => [['XCLAIM', c.key('stream'), 'g', 'b', 0, c.streamId()]]),
  op('xautoclaim', (c) => [['XAUTOCLAIM', c.key('stream'), 'g', 'a', 0, '0', 'COUNT', 2]], 'xautoclaim'),
  op('xgroup setid', (c) => [['XGROUP', 'SETID', c.key('stream'), 'h', '$']]),
  op('xgroup consumers', (c) => [['XGROUP', 'DELCONSUMER', c.key('stream'), 'g', 'a']]),
  // The group is made again before anything else of the batch can miss it.
  op('xgroup again', (c) => [
    ['XGROUP', 'DESTROY', c.key('stream'), 'h'],
    ['XGROUP', 'CREATE', c.key('stream'), 'h', '0'],
  ]),
];

const OTHERS: readonly LoadOperation[] = [
  op('pfadd', (c) => [
    ['PFADD', c.key('hll'), word(c), word(c)],
    ['PFADD', c.key('hll', 'b'), word(c)],
  ]),
  op('pfmerge', (c) => [['PFMERGE', c.key('hll', 'all'), c.key('hll'), c.key('hll', 'b')]]),
  op('expire', (c) => [['EXPIRE', c.key('hash'), 900]]),
  op('pexpire', (c) => [['PEXPIRE', c.key('list'), farMs(c)]]),
  op('expireat', (c) => [
    ['PEXPIREAT', c.key('set'), atMs(c)],
    ['EXPIREAT', c.key('zset'), Math.floor(atMs(c) / 1000)],
  ]),
  op(
    'expire gt',
    (c) => [
      ['EXPIRE', c.key('zset'), 1200, 'GT'],
      ['EXPIRE', c.key('hash'), 1200, 'XX'],
    ],
    'lmpop',
  ),
  op('expire past', (c) => [
    ['SET', c.key('temporary', 'past'), 'gone'],
    ['PEXPIREAT', c.key('temporary', 'past'), 1],
  ]),
  op('persist', (c) => [
    ['PERSIST', c.key('hash')],
    ['PERSIST', c.key('list')],
  ]),
  op('rename', (c) => [
    ['SET', c.key('name'), word(c), 'PX', farMs(c)],
    ['RENAME', c.key('name'), c.key('name', 'new')],
  ]),
  op('renamenx', (c) => [
    ['RPUSH', c.key('name', 'nx'), word(c)],
    ['RENAMENX', c.key('name', 'nx'), c.key('name', 'list')],
  ]),
  op('copy', (c) => [['COPY', c.key('hash'), c.key('hash', 'copy'), 'REPLACE']], 'copy'),
  op('copy stream', (c) => [['COPY', c.key('stream'), c.key('stream', 'copy'), 'REPLACE']], 'copy'),
  op('sort store', (c) => [['SORT', c.key('set', 'int'), 'DESC', 'LIMIT', 0, 5, 'STORE', c.key('sorted')]]),
  op('del', (c) => [['DEL', c.key('string', 'm1'), c.key('string', 'm3'), c.key('string', 'm4')]]),
  op('unlink', (c) => [['UNLINK', c.key('set', 'union'), c.key('hash', 'copy'), c.key('name', 'list')]]),
  op('multi', (c) => [
    ['MULTI'],
    ['INCR', c.key('counter', 'multi')],
    ['LPUSH', c.key('list', 'multi'), word(c)],
    ['LTRIM', c.key('list', 'multi'), 0, 9],
    ['HSET', c.key('hash', 'multi'), word(c), small(c)],
    ['EXEC'],
  ]),
  op('eval', (c) => [['EVAL', SCRIPT, 2, c.key('counter', 'script'), c.key('list', 'script'), word(c)]]),
  op('move', (c) => {
    if (c.otherDatabase === null) return [['SET', c.key('move'), word(c)]];
    return [
      ['SET', c.key('move'), word(c)],
      ['MOVE', c.key('move'), c.otherDatabase],
    ];
  }),
];

export const LOAD_OPERATIONS: readonly LoadOperation[] = [
  ...STRINGS,
  ...LISTS,
  ...SETS,
  ...HASHES,
  ...SORTED_SETS,
  ...STREAMS,
  ...OTHERS,
];
