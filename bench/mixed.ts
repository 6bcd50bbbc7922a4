// The mixed data set: 300,000 small keys of all types, 2,000 of 500 to 5,000 elements, and a hash, a sorted set and a list
// of a million elements each; a fifth with an expiry, some in database 3. The same every time.
import * as net from 'node:net';
import { encodeCommand } from '../source/protocol/resp-encode.ts';
import type { Place } from './load.ts';

const SMALL_KEYS = 300_000;
const MEDIUM_KEYS = 2000;
const MILLION = 1_000_000;
const ELEMENTS_A_COMMAND = 500;
const WINDOW_BYTES = 8 * 1024 * 1024;
/** In 2030, so that nothing expires during a measurement. */
const EXPIRES_AT_MS = 1_900_000_000_000;

export const MIXED_KEYS = SMALL_KEYS + MEDIUM_KEYS + 3;

/** A generator of numbers that is the same everywhere (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Command = readonly string[];

function* collection(
  type: 'RPUSH' | 'SADD' | 'HSET' | 'ZADD',
  key: string,
  elements: number,
  next: () => number,
  integers = false,
): Generator<Command> {
  for (let from = 0; from < elements; from += ELEMENTS_A_COMMAND) {
    const args = [type as string, key];
    for (let i = from; i < Math.min(elements, from + ELEMENTS_A_COMMAND); i++) {
      if (type === 'ZADD') args.push(String(next() * 1e6), `member:${i}`);
      else if (type === 'HSET') args.push(`field:${i}`, `value ${Math.floor(next() * 1e9)}`);
      else args.push(integers ? String(i * 7) : `element ${i} ${Math.floor(next() * 1e9)}`);
    }
    yield args;
  }
}

function* smallKey(index: number, next: () => number): Generator<Command> {
  const key = `small:${index}`;
  const kind = index % 20;
  const count = 1 + Math.floor(next() * 20);
  if (kind < 6) yield ['SET', key, 'x'.repeat(1 + Math.floor(next() * 200)) + Math.floor(next() * 1e9)];
  else if (kind < 9) yield* collection('RPUSH', key, count, next);
  else if (kind < 12) yield* collection('SADD', key, count, next, kind === 9);
  else if (kind < 16) yield* collection('HSET', key, count, next);
  else if (kind < 19) yield* collection('ZADD', key, count, next);
  else {
    for (let i = 1; i <= 5; i++) yield ['XADD', key, `${i}-1`, 'field', String(Math.floor(next() * 1e9))];
    if (index % 80 === 19) {
      yield ['XGROUP', 'CREATE', key, 'group', '0'];
      yield ['XREADGROUP', 'GROUP', 'group', 'consumer', 'COUNT', '3', 'STREAMS', key, '>'];
    }
  }
  if (index % 5 === 0) yield ['PEXPIREAT', key, String(EXPIRES_AT_MS + index)];
}

function* allCommands(): Generator<Command> {
  const next = numbers(11);
  for (let i = 0; i < SMALL_KEYS; i++) {
    // 15,000 of them in database 3.
    if (i === SMALL_KEYS - 15_000) yield ['SELECT', '3'];
    yield* smallKey(i, next);
  }
  yield ['SELECT', '0'];
  for (let i = 0; i < MEDIUM_KEYS; i++) {
    const type = (['RPUSH', 'SADD', 'HSET', 'ZADD'] as const)[i % 4] ?? 'RPUSH';
    yield* collection(type, `medium:${i}`, 500 + Math.floor(next() * 4500), next);
  }
  yield* collection('HSET', 'giant:hash', MILLION, next);
  yield* collection('ZADD', 'giant:zset', MILLION, next);
  yield* collection('RPUSH', 'giant:list', MILLION, next);
}

/** Fills an empty server over one pipelined connection. */
export async function fillMixed({ host, port }: Place): Promise<void> {
  const socket = net.connect(port, host);
  socket.resume();
  let waiting: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const whole = Buffer.concat(waiting);
    waiting = [];
    bytes = 0;
    if (!socket.write(whole)) await new Promise((resolve) => socket.once('drain', resolve));
  };
  for (const command of allCommands()) {
    const encoded = encodeCommand(command);
    waiting.push(encoded);
    bytes += encoded.length;
    if (bytes >= WINDOW_BYTES) await flush();
  }
  waiting.push(encodeCommand(['QUIT']));
  await flush();
  await new Promise((resolve) => socket.once('close', resolve));
}
