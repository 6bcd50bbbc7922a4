// Listpacks with an entry of a length that servers write in two ways. Restored as they are some of these values end the
// target's process, so each is to be found and to arrive rewritten, between any two of the servers at hand.
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import { Crc64 } from '../../source/rdb/crc64.ts';
import { BORDER_BYTES, BorderScan } from '../../source/rdb/encode-border.ts';
import { ValueEncoder } from '../../source/rdb/encode-value.ts';
import { FOOTER_BYTES } from '../../source/rdb/format.ts';
import { type AcceptedVersions, acceptedVersions, FIRST_VALKEY_VERSION } from '../../source/rdb/payload-version.ts';
import { Reencoder } from '../../source/rdb/reencode.ts';
import { ServerInfo } from '../../source/topology/server-info.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';

interface Side {
  readonly label: string;
  readonly redis: Redis;
  readonly accepted: AcceptedVersions;
}

const sides: Side[] = [];
/** Data of a string whose entry is the first of the treacherous lengths. */
const BORDER = (BORDER_BYTES[0] as number) - 5;

beforeAll(async () => {
  for (const { label, binary } of SERVER_KINDS) {
    const { host, port } = await testServer({ binary });
    // A server that a wrong value has ended is a failure at once.
    const redis = new Redis({ host, port, protocol: 2, maxRetriesPerRequest: 0, retryStrategy: () => null });
    redis.on('error', () => {});
    const accepted = acceptedVersions(new ServerInfo(await redis.info('server')).version());
    sides.push({ label, redis, accepted });
    for (const [name, value] of [
      ['hash-max-listpack-value', 1_000_000],
      ['set-max-listpack-value', 1_000_000],
      ['zset-max-listpack-value', 1_000_000],
      ['list-max-listpack-size', -5],
      ['sanitize-dump-payload', 'yes'],
    ] as const) {
      // Not every server has every setting; before 7.0 only streams are listpacks.
      await redis.call('CONFIG', 'SET', name, value).catch(() => {});
    }
  }
});

const CONTENTS = { 'that compresses': 'v'.repeat(BORDER + 1), 'that does not': randomBytes(BORDER).toString('hex') };

async function write(redis: Redis, value: string): Promise<void> {
  await redis.call('FLUSHALL');
  await redis.call('RPUSH', 'list', 'a', value, 'b');
  await redis.call('SADD', 'set', 'a', value, 'b');
  await redis.call('ZADD', 'zset', '0.1', 'a', '0.2', value, '0.3', 'b');
  await redis.call('HSET', 'hash', 'a', value, 'b', 'c');
  await redis.call('HSET', 'fields', 'a', value, 'b', 'c');
  // Unknown before Redis 7.4 and Valkey 9.
  await redis.call('HPEXPIRE', 'fields', 100_000, 'FIELDS', 1, 'b').catch(() => {});
  await redis.call('XADD', 'stream', '1-0', 'a', value, 'b', 'c');
  await redis.call('XADD', 'stream', '2-0', 'a', 'c');
}

const KEYS = ['list', 'set', 'zset', 'hash', 'fields', 'stream'];

/** @param key of that kind. */
async function read(redis: Redis, kind: string, key: string): Promise<unknown> {
  switch (kind) {
    case 'list':
      return redis.call('LRANGE', key, 0, -1);
    case 'set':
      return ((await redis.call('SMEMBERS', key)) as string[]).sort();
    case 'zset':
      return ((await redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')) as string[]).map((it) =>
        it.startsWith('0.') ? Number(it) : it,
      );
    default:
      return Promise.all(['a', 'b'].map((field) => redis.call('HGET', key, field)));
  }
}

interface Dump {
  readonly type: number;
  readonly dialect: 'redis' | 'valkey';
  readonly value: Buffer;
}

async function dump(redis: Redis, key: string): Promise<Dump> {
  const bytes = (await redis.callBuffer('DUMP', [key])) as Buffer;
  const version = bytes.readUInt16LE(bytes.length - FOOTER_BYTES);
  return {
    type: bytes[0] as number,
    dialect: version >= FIRST_VALKEY_VERSION ? 'valkey' : 'redis',
    value: bytes.subarray(1, bytes.length - FOOTER_BYTES),
  };
}

async function restore(redis: Redis, key: string, made: Pick<ValueEncoder, 'type' | 'version' | 'bytes' | 'length'>) {
  const footer = Buffer.alloc(FOOTER_BYTES);
  footer.writeUInt16LE(made.version);
  const bytes = Buffer.concat([Buffer.from([made.type]), made.bytes.subarray(0, made.length), footer]);
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length - 8);
  crc.writeTo(bytes, bytes.length - 8);
  await redis.call('RESTORE', key, 0, bytes, 'REPLACE');
}

describe('BorderScan', () => {
  const scan = new BorderScan();

  it.each(Object.entries(CONTENTS))(
    'finds text %s in every type that has listpacks, at that length only',
    async (_, text) => {
      for (const { redis, label } of sides) {
        const found = new Map<string, number>();
        for (const length of [BORDER - 1, BORDER, BORDER + 1]) {
          await write(redis, text.slice(0, length));
          for (const key of KEYS) {
            const { type, dialect, value } = await dump(redis, key);
            if (!scan.found(type, dialect, new WholeView(value))) continue;
            expect(length, `${key} of ${label}`).toBe(BORDER);
            found.set(key, type);
          }
        }
        expect(found.has('stream'), label).toBe(true);
        if (label === 'redis-8.0') expect(found.get('fields')).toBe(25);
        // Sets are since 7.2; Valkey 9 has no listpacks where fields expire.
        for (const key of ['list', 'hash', 'zset'])
          expect(found.has(key), `${key} of ${label}`).toBe(label !== 'redis-6.0');
      }
    },
  );

  it('does not look into what inflates to megabytes, and says yes', async () => {
    for (const { redis } of sides) {
      await redis.call('XADD', 'long', '1-0', 'a', 'v'.repeat(5_000_000));
      const { type, dialect, value } = await dump(redis, 'long');
      expect(scan.found(type, dialect, new WholeView(value))).toBe(true);
    }
  });

  it('says no of bytes cut anywhere, or finds it', async () => {
    const [side] = sides;
    if (side === undefined) throw new Error('a server is missing');
    await write(side.redis, CONTENTS['that compresses'].slice(0, BORDER));
    for (const key of KEYS) {
      const { type, dialect, value } = await dump(side.redis, key);
      for (let end = 0; end < value.length; end++) {
        const view = new WholeView(value, 0, end);
        expect(typeof scan.found(type, dialect, view)).toBe('boolean');
        expect(view.start).toBe(0);
      }
    }
  });
});

describe.each(SERVER_KINDS.map(({ label }) => label))('from %s', (source) => {
  it.each(SERVER_KINDS.map(({ label }) => label))('to %s they arrive', async (target) => {
    const [from, to] = [source, target].map((label) => sides.find((side) => side.label === label));
    if (from === undefined || to === undefined) throw new Error('a server is missing');
    for (const text of Object.values(CONTENTS)) {
      await write(from.redis, text.slice(0, BORDER));
      for (const key of KEYS) {
        const { type, dialect, value } = await dump(from.redis, key);
        const reencoder = new Reencoder(to.accepted, () => {});
        const view = new WholeView(value);
        if (!reencoder.isTreacherous(type, dialect, view)) continue;
        const made = reencoder.rewrite(type, dialect, view);
        if (key === 'stream') {
          expect(made).toBe(null);
          continue;
        }
        if (made === null) throw new Error(`type ${type} is impossible`);
        expect(reencoder.isTreacherous(made.type, 'redis', new WholeView(made.bytes, 0, made.length))).toBe(false);
        await restore(to.redis, 'moved', made);
        const [was, is] = await Promise.all([read(from.redis, key, key), read(to.redis, key, 'moved')]);
        // Not toEqual: it would show 16 kB of the same letter.
        expect(JSON.stringify(is) === JSON.stringify(was), `${key} of ${from.label}`).toBe(true);
      }
    }
  });
});

it.each(SERVER_KINDS.map(({ label }) => label))(
  'a stream that is encoded has the form that %s reads',
  async (label) => {
    const to = sides.find((side) => side.label === label);
    if (to === undefined) throw new Error('a server is missing');
    const encoder = new ValueEncoder({ goal: to.accepted });
    const slice = (text: string) => ({ bytes: Buffer.from(text), start: 0, end: text.length });
    const lengths = BORDER_BYTES.slice(0, 2).flatMap((border) => [border - 6, border - 5, border - 4]);
    encoder.begin('stream');
    lengths.forEach((length, i) => {
      encoder.streamEntry({ ms: BigInt(i + 1), seq: 0n }, [slice('f'), slice('v'.repeat(length))], 2);
    });
    encoder.streamFacts({
      length: lengths.length,
      lastId: { ms: 9n, seq: 0n },
      firstId: null,
      maxDeletedId: null,
      entriesAdded: 1n,
    });
    encoder.end();
    await restore(to.redis, 'encoded', encoder);
    for (const [command, from, till] of [
      ['XRANGE', '-', '+'],
      ['XREVRANGE', '+', '-'],
    ] as const) {
      const entries = (await to.redis.call(command, 'encoded', from, till)) as [string, [string, string]][];
      expect(entries.map(([, [, value]]) => value.length).sort((a, b) => a - b)).toEqual(lengths);
    }
  },
);
