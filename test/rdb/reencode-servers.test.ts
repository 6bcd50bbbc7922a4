// What is rewritten must be taken by RESTORE of real servers and be there as it was: every type, from each server at
// hand to each other one, compared by commands.
import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import { Crc64 } from '../../source/rdb/crc64.ts';
import type { Loss } from '../../source/rdb/encode-goal.ts';
import { ValueEncoder } from '../../source/rdb/encode-value.ts';
import { FOOTER_BYTES } from '../../source/rdb/format.ts';
import { type AcceptedVersions, acceptedVersions, FIRST_VALKEY_VERSION } from '../../source/rdb/payload-version.ts';
import { Reencoder } from '../../source/rdb/reencode.ts';
import { isStreamType, newestStreamType } from '../../source/rdb/stream-rewrite.ts';
import type { Slice, StreamId } from '../../source/rdb/value-sink.ts';
import { valueWays } from '../../source/rdb/value-way.ts';
import { ServerInfo } from '../../source/topology/server-info.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';
import { writeTypedData } from '../support/typed-data.ts';

const ELEMENTS = 600;
const DAY = Date.now() + 86_400_000;

interface Side {
  readonly label: string;
  readonly redis: Redis;
  readonly accepted: AcceptedVersions;
  readonly fieldExpiry: boolean;
}

const sides: Side[] = [];

beforeAll(async () => {
  for (const { label, binary } of SERVER_KINDS) {
    const { host, port } = await testServer({ binary });
    // RESP2: sorted sets and hashes are flat then, and scores are the server's own text.
    // And a server that a wrong value has ended is a failure at once.
    const redis = new Redis({ host, port, protocol: 2, maxRetriesPerRequest: 0, retryStrategy: () => null });
    redis.on('error', () => {});
    // Looks into every listpack that RESTORE brings; known since 6.2.
    await redis.call('CONFIG', 'SET', 'sanitize-dump-payload', 'yes').catch(() => {});
    const accepted = acceptedVersions(new ServerInfo(await redis.info('server')).version());
    sides.push({ label, redis, accepted, fieldExpiry: accepted.redis >= 12 || accepted.valkey > 0 });
    await writeTypedData({ host, port }, { elements: ELEMENTS, fieldExpiry: sides.at(-1)?.fieldExpiry ?? false });
    await writeMore(redis);
  }
});

/** What the shared data has not: a -0 that no server bends (in a listpack it becomes 0), gaps, a lot pending. */
async function writeMore(redis: Redis): Promise<void> {
  const many = Array.from({ length: 300 }, (_, i) => i);
  await redis.call('ZADD', 'zset:minus-zero', '-0', 'minus', '0', 'plus', ...many.flatMap((i) => [i / 7, `m${i}`]));
  for (const i of many) await redis.call('XADD', 'stream:pending', `${10 + i}-0`, 'f', String(i));
  await redis.call('XGROUP', 'CREATE', 'stream:pending', 'g', '0');
  for (const i of many) {
    await redis.call(
      'XREADGROUP',
      'GROUP',
      'g',
      `consumer ${(i * 7) % 3}`,
      'COUNT',
      1,
      'STREAMS',
      'stream:pending',
      '>',
    );
  }
}

/** A DUMP payload of a value. */
function payload(type: number, version: number, value: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from([type]), value, Buffer.alloc(FOOTER_BYTES)]);
  const behind = bytes.length - FOOTER_BYTES;
  bytes.writeUInt16LE(version, behind);
  const crc = new Crc64();
  crc.update(bytes, 0, behind + 2);
  crc.writeTo(bytes, behind + 2);
  return bytes;
}

async function restore(to: Side, key: Buffer | string, type: number, version: number, value: Buffer): Promise<void> {
  const name = Buffer.isBuffer(key) ? key.toString('latin1') : key;
  try {
    await to.redis.call('RESTORE', key, 0, payload(type, version, value), 'REPLACE');
  } catch (error) {
    throw new Error(`${to.label} does not take ${name}, type ${type}, version ${version}: ${String(error)}`);
  }
}

const call = (redis: Redis, name: string, ...args: (string | number | Buffer)[]): Promise<unknown> =>
  redis.callBuffer(name, args);

/** Texts instead of buffers, one character a byte. */
function plain(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

function pairs(reply: unknown): Record<string, unknown> {
  const flat = plain(reply) as unknown[];
  return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]]] : [])));
}

/** @param streams the oldest type of streams on the way; only what that has is looked at. */
async function contentOf(side: Side, key: Buffer | string, streams: number, fieldExpiry: boolean): Promise<unknown> {
  const { redis } = side;
  const kind = String(await call(redis, 'TYPE', key));
  switch (kind) {
    case 'string':
      return plain(await call(redis, 'GET', key));
    case 'list':
      return plain(await call(redis, 'LRANGE', key, 0, -1));
    case 'set':
      return (plain(await call(redis, 'SMEMBERS', key)) as string[]).sort();
    case 'zset':
      return Object.entries(pairs(await call(redis, 'ZRANGE', key, 0, -1, 'WITHSCORES'))).map(([member, score]) => [
        member,
        bits(String(score)),
      ]);
    case 'hash':
      return hashOf(redis, key, fieldExpiry);
    case 'stream':
      return streamOf(redis, key, streams);
    default:
      return kind;
  }
}

function bits(score: string): string {
  const number =
    score === 'inf' ? Number.POSITIVE_INFINITY : score === '-inf' ? Number.NEGATIVE_INFINITY : Number(score);
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(number);
  return bytes.toString('hex');
}

async function hashOf(redis: Redis, key: Buffer | string, fieldExpiry: boolean): Promise<unknown> {
  const fields = pairs(await call(redis, 'HGETALL', key));
  const names = Object.keys(fields).sort();
  const bytes = names.map((name) => Buffer.from(name, 'latin1'));
  const times = fieldExpiry ? await call(redis, 'HPEXPIRETIME', key, 'FIELDS', bytes.length, ...bytes) : [];
  return names.map((name, i) => [name, fields[name], (times as unknown[])[i] ?? null]);
}

async function streamOf(redis: Redis, key: Buffer | string, type: number): Promise<unknown> {
  const stream = pairs(await call(redis, 'XINFO', 'STREAM', key, 'FULL', 'COUNT', 0));
  const counters = type >= 19 ? ['max-deleted-entry-id', 'entries-added', 'recorded-first-entry-id'] : [];
  const groups = (stream['groups'] as unknown[]).map(pairs).map((group) => ({
    ...pick(group, ['name', 'last-delivered-id', 'pending', 'pel-count', ...(type >= 19 ? ['entries-read'] : [])]),
    consumers: (group['consumers'] as unknown[])
      .map(pairs)
      .map((consumer) => pick(consumer, ['name', 'seen-time', 'pending', ...(type >= 21 ? ['active-time'] : [])])),
  }));
  return { ...pick(stream, ['length', 'last-generated-id', 'entries', ...counters]), groups };
}

const pick = (from: Record<string, unknown>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.map((name) => [name, from[name]]));

interface Moved {
  readonly rewritten: ReadonlySet<number>;
  readonly losses: ReadonlySet<Loss>;
}

/** Moves every key by DUMP and RESTORE, as the table of ways says, and compares. */
async function moveAll(from: Side, to: Side): Promise<Moved> {
  await to.redis.call('SELECT', 1);
  await to.redis.call('FLUSHDB');
  const losses = new Set<Loss>();
  const rewritten = new Set<number>();
  const reencoder = new Reencoder(to.accepted, (loss) => losses.add(loss));
  const keys = (await call(from.redis, 'KEYS', '*')) as Buffer[];
  expect(keys.length).toBeGreaterThanOrEqual(25);
  for (const key of keys) {
    const dump = (await call(from.redis, 'DUMP', key)) as Buffer;
    const type = dump[0] as number;
    const value = dump.subarray(1, dump.length - FOOTER_BYTES);
    const version = dump.readUInt16LE(dump.length - FOOTER_BYTES);
    const dialect = version >= FIRST_VALKEY_VERSION ? 'valkey' : 'redis';
    const way = valueWays({ version, dialect }, to.accepted)[type];
    if (way?.kind === 'restore') await restore(to, key, type, way.version, value);
    else {
      expect(way, `type ${type}`).toEqual({ kind: 'rewrite' });
      const made = reencoder.rewrite(type, dialect, new WholeView(value));
      if (made === null) throw new Error(`type ${type} cannot be rewritten`);
      expect(made.empty).toBe(false);
      rewritten.add(type);
      await restore(to, key, made.type, made.version, made.bytes.subarray(0, made.length));
    }
    const streams = isStreamType(type, dialect) ? Math.min(type, newestStreamType(to.accepted.redis)) : 0;
    const expiries = from.fieldExpiry && to.fieldExpiry;
    const [was, is] = await Promise.all([from, to].map((side) => contentOf(side, key, streams, expiries)));
    expect(is, `${from.label} to ${to.label}: ${key.toString('latin1')}`).toEqual(was);
  }
  return { rewritten, losses };
}

describe.each(SERVER_KINDS.map(({ label }) => label))('from %s', (source) => {
  it.each(SERVER_KINDS.map(({ label }) => label))('to %s everything is the same', async (target) => {
    const [from, to] = [source, target].map((label) => sides.find((side) => side.label === label));
    if (from === undefined || to === undefined) throw new Error('a server is missing');
    // A second connection: one server may be both sides.
    const other = { ...to, redis: to.redis.duplicate() };
    try {
      const { rewritten, losses } = await moveAll(from, other);
      if (source === target) expect([...rewritten]).toEqual([]);
      if (from.fieldExpiry !== to.fieldExpiry) expect(losses.has('field-expiry')).toBe(from.fieldExpiry);
      if (from.accepted.redis >= 10) expect(losses.has('entries-read')).toBe(to.accepted.redis < 10);
      if (from.fieldExpiry && to.fieldExpiry) expect(losses.has('field-expiry')).toBe(false);
    } finally {
      other.redis.disconnect();
    }
  });
});

const slice = (text: string | Buffer): Slice => {
  const bytes = Buffer.from(text);
  return { bytes, start: 0, end: bytes.length };
};
const id = (ms: number | bigint, seq: number | bigint = 0n): StreamId => ({ ms: BigInt(ms), seq: BigInt(seq) });
const HIGHEST = 2n ** 64n - 1n;

describe.each(SERVER_KINDS.map(({ label }) => label))('what is encoded for %s', (label) => {
  const side = (): Side => {
    const found = sides.find((it) => it.label === label);
    if (found === undefined) throw new Error('a server is missing');
    return found;
  };

  async function send(to: Side, encoder: ValueEncoder): Promise<void> {
    await restore(to, 'encoded', encoder.type, encoder.version, encoder.bytes.subarray(0, encoder.length));
  }

  it('is a sorted set with scores as text, to the last bit', async () => {
    const to = side();
    const encoder = new ValueEncoder({ goal: { redis: 6, valkey: 0 } });
    const scores = [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0, 1e21, 2 ** 53 + 2, -123456.789];
    encoder.begin('zset');
    scores.forEach((score, i) => {
      encoder.scored(slice(`s${i}`), score);
    });
    encoder.scored(slice('most'), Number.POSITIVE_INFINITY);
    encoder.scored(slice('least'), Number.NEGATIVE_INFINITY);
    for (let i = 0; i < 200; i++) encoder.scored(slice(`m${i}`), i);
    encoder.end();
    expect([encoder.type, encoder.version]).toEqual([3, 6]);
    await send(to, encoder);
    const found = pairs(await call(to.redis, 'ZRANGE', 'encoded', 0, -1, 'WITHSCORES'));
    expect(Object.keys(found).length).toBe(scores.length + 202);
    scores.forEach((score, i) => {
      expect(bits(String(found[`s${i}`])), String(score)).toBe(bits(Object.is(score, -0) ? '-0' : String(score)));
    });
    expect([found['most'], found['least']]).toEqual(['inf', '-inf']);
  });

  it('is a hash with expiries where there are such', async () => {
    const to = side();
    const losses: Loss[] = [];
    const encoder = new ValueEncoder({ goal: to.accepted, onLoss: (loss) => losses.push(loss) });
    encoder.begin('hash');
    for (let i = 0; i < 700; i++) {
      encoder.field(slice(`f${i}`), slice(`v${i}`), i % 3 === 0 ? DAY + ((i * 7919) % 701) * 10 ** (i % 9) : -1);
    }
    encoder.field(slice('gone'), slice('by now'), 1000);
    encoder.end();
    await send(to, encoder);
    expect(await to.redis.call('HGET', 'encoded', 'gone')).toBe(null);
    expect(await to.redis.call('HGET', 'encoded', 'f699')).toBe('v699');
    if (!to.fieldExpiry) {
      expect(losses).toEqual(['field-expiry']);
      expect(await to.redis.call('HLEN', 'encoded')).toBe(700);
      return;
    }
    expect(losses).toEqual([]);
    for (let i = 0; i < 700; i++) {
      const [time] = (await to.redis.call('HPEXPIRETIME', 'encoded', 'FIELDS', 1, `f${i}`)) as [number];
      expect(time).toBe(i % 3 === 0 ? DAY + ((i * 7919) % 701) * 10 ** (i % 9) : -1);
    }
  });

  it('is a stream with the outermost IDs, changing fields and entries pending out of order', async () => {
    const to = side();
    const encoder = new ValueEncoder({ goal: to.accepted });
    encoder.begin('stream');
    const entries: [StreamId, string[]][] = [[id(0, 1), ['only', 'first']]];
    for (let i = 0; i < 1000; i++) {
      const names = i % 50 === 7 ? ['other'] : i % 2 === 0 ? ['f', 'g'] : ['f', 'g', 'h'];
      entries.push([id(1000 + (i >> 1), i % 2), names.flatMap((name) => [name, `${name}${i}`])]);
    }
    entries.push([id(2000, HIGHEST), ['long', 'x'.repeat(70_000), '', '']]);
    entries.push([id(2001, 0), ['m'.repeat(5000), 'y'.repeat(16_383)]]);
    entries.push([id(HIGHEST, HIGHEST), ['last', '-5']]);
    for (const [entry, fields] of entries) encoder.streamEntry(entry, fields.map(slice), fields.length);
    encoder.streamFacts({
      length: entries.length,
      lastId: id(HIGHEST, HIGHEST),
      firstId: id(0, 1),
      maxDeletedId: id(900, 7),
      entriesAdded: 5000n,
    });
    encoder.group(slice('g'), id(1200, 1), 77n);
    encoder.consumer(slice('a'), DAY - 5, DAY - 9);
    for (const ms of [1001, 1003, 1005]) encoder.pending(id(ms), DAY - ms, ms);
    encoder.consumer(slice('b'), DAY - 6, null);
    for (const ms of [1000, 1002, 1004]) encoder.pending(id(ms), DAY - ms, ms);
    encoder.consumer(slice('idle'), DAY - 7, -1);
    encoder.group(slice('unknown'), id(0), -1n);
    encoder.end();
    await send(to, encoder);
    const found = (await streamOf(to.redis, 'encoded', encoder.type)) as Record<string, unknown>;
    const text = ({ ms, seq }: StreamId): string => `${ms}-${seq}`;
    expect(found['entries']).toEqual(entries.map(([entry, fields]) => [text(entry), fields]));
    const [group, unknown] = found['groups'] as [Record<string, unknown>, Record<string, unknown>];
    expect(group['pending']).toEqual(
      [1000, 1001, 1002, 1003, 1004, 1005].map((ms) => [`${ms}-0`, ms % 2 === 1 ? 'a' : 'b', DAY - ms, ms]),
    );
    expect(group['consumers']).toMatchObject([
      { name: 'a', 'seen-time': DAY - 5, pending: [1001, 1003, 1005].map((ms) => [`${ms}-0`, DAY - ms, ms]) },
      { name: 'b', 'seen-time': DAY - 6, pending: [1000, 1002, 1004].map((ms) => [`${ms}-0`, DAY - ms, ms]) },
      { name: 'idle', 'seen-time': DAY - 7, pending: [] },
    ]);
    if (encoder.type >= 19) {
      expect(found).toMatchObject({ 'max-deleted-entry-id': '900-7', 'entries-added': 5000 });
      expect(found).toMatchObject({ 'recorded-first-entry-id': '0-1', 'last-generated-id': `${HIGHEST}-${HIGHEST}` });
      expect([group['entries-read'], unknown['entries-read']]).toEqual([77, null]);
    }
    if (encoder.type >= 21) {
      expect((group['consumers'] as Record<string, unknown>[]).map((it) => it['active-time'])).toEqual([
        DAY - 9,
        DAY - 6,
        -1,
      ]);
    }
  });

  it('is a stream whose listpacks have numbers and strings at every border of their forms', async () => {
    const to = side();
    const encoder = new ValueEncoder({ goal: to.accepted });
    const borders = [0, 7, 12, 15, 23, 31, 40, 62].flatMap((bit) =>
      [-1n, 0n, 1n].map((step) => (1n << BigInt(bit)) + step),
    );
    const middle = 2n ** 63n;
    const entries = [middle, ...borders.map((border) => middle + border), ...borders.map((border) => middle - border)];
    encoder.begin('stream');
    entries.forEach((seq, i) => {
      encoder.streamEntry(id(i + 1, seq), [slice('f'), slice('')], 2);
    });
    // With the head of an entry, 127, 16383, 2097151 and so on are where the length behind it takes a byte more.
    const lengths = [63, 64, 124, 125, 126, 4095, 4096, 16_377, 16_378, 16_379, 2_097_145, 2_097_146, 2_097_147];
    lengths.forEach((length, i) => {
      encoder.streamEntry(id(1000 + i), [slice('f'), slice('v'.repeat(length))], 2);
    });
    encoder.streamFacts({ length: 1, lastId: id(2000), firstId: null, maxDeletedId: null, entriesAdded: 1n });
    encoder.end();
    await send(to, encoder);
    const found = plain(await call(to.redis, 'XRANGE', 'encoded', '-', '+')) as [string, string[]][];
    expect(found.slice(0, entries.length).map(([name]) => name)).toEqual(entries.map((seq, i) => `${i + 1}-${seq}`));
    expect(found.slice(entries.length).map(([, fields]) => fields[1]?.length)).toEqual(lengths);
    // Backwards: by the lengths behind the entries.
    const last = (await to.redis.call('XREVRANGE', 'encoded', '+', '-')) as [string][];
    expect(last.map(([name]) => name).reverse()).toEqual(found.map(([name]) => name));
  });

  it('is a stream of before 7.0, whose counters the server works out itself', async () => {
    const to = side();
    const encoder = new ValueEncoder({ goal: to.accepted });
    encoder.begin('stream');
    for (let i = 1; i <= 3; i++) encoder.streamEntry(id(i), [slice('f'), slice('v')], 2);
    encoder.streamFacts({ length: 3, lastId: id(9), firstId: null, maxDeletedId: null, entriesAdded: null });
    encoder.group(slice('g'), id(2), null);
    encoder.end();
    expect(encoder.type).toBe(15);
    await send(to, encoder);
    const newest = to.accepted.redis >= 10 ? 19 : 15;
    const found = (await streamOf(to.redis, 'encoded', newest)) as Record<string, unknown>;
    expect(found).toMatchObject({ length: 3, 'last-generated-id': '9-0' });
    if (newest === 19) expect(found).toMatchObject({ 'entries-added': 3, 'recorded-first-entry-id': '1-0' });
  });

  it('is a stream without entries', async () => {
    const to = side();
    const encoder = new ValueEncoder({ goal: to.accepted });
    encoder.begin('stream');
    encoder.streamFacts({ length: 0, lastId: id(9), firstId: id(0), maxDeletedId: id(9), entriesAdded: 1n });
    encoder.end();
    await send(to, encoder);
    expect(await to.redis.call('XLEN', 'encoded')).toBe(0);
    expect(await to.redis.call('XADD', 'encoded', '9-1', 'f', 'v')).toBe('9-1');
  });
});
