// Guards the list of commands that travel bare (protocol/replay-class.ts), on a real server. A trial is a random sequence
// over three keys in two slots. It is run once straight, and once as a resumed run does it: up to a crash, wrapped
// commands with their slot's marker in one MULTI; then again from a random earlier command on, passing over what stands
// at or below its slot's marker. Both must end in the same keys, values and expiries. Between crash and resume some
// expiries pass that the sequence has renewed before the crash, as sessions do it.
// REDFERRY_FUZZ_SECONDS (default 10, with REDFERRY_LONG 60) and REDFERRY_FUZZ_SEED (default 1) make it longer and other.
import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import type { CommandBytes } from '../../source/protocol/absolute-expiry.ts';
import { isBare } from '../../source/protocol/replay-class.ts';
import { type Command, Connection } from '../../source/validation/connection.ts';
import type { Reply } from '../../source/validation/resp-reader.ts';
import { rangesOf } from '../protocol/arguments.ts';
import { shortOrLong } from '../support/long.ts';
import { useServers } from '../support/servers.ts';

const SECONDS = Number(process.env['REDFERRY_FUZZ_SECONDS'] ?? shortOrLong(10, 60));
const SEED = Number(process.env['REDFERRY_FUZZ_SEED'] ?? 1);

/** Of which the rarest of the mistakes takes a quarter. */
const MISTAKE_SECONDS = 30;
const TRIALS_AT_ONCE = 400;
/** Longer than a batch of trials takes up to its crash; a batch that was slower is not looked at. */
const NEAR_MS = 400;
const FAR_MS = 3_600_000;
/** One batch in so many has near expiries, and waits for them to pass. */
const BATCHES_BETWEEN_NEAR = 8;
const STRAIGHT = 0;
const RESUMED = 1;

type Words = readonly string[];
type Classifier = (command: CommandBytes) => boolean;

interface Step {
  readonly words: Words;
  /** Which of the trial's two slots. */
  readonly slot: 0 | 1;
  readonly bare: boolean;
}

interface Trial {
  readonly keys: readonly string[];
  readonly steps: readonly Step[];
  /** How many steps were applied before the crash, and where the resumed run begins again. */
  readonly crash: number;
  readonly from: number;
  /** Names of the markers of both slots. */
  readonly markers: readonly [string, string];
}

/** mulberry32: the same numbers for the same seed everywhere. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

let connection: Connection;
/** DUMP of a string, a hash, a set and a sorted set. */
let payloads: readonly string[];

beforeAll(async () => {
  const server = await useServers().startServer({ args: ['--enable-debug-command', 'yes'] });
  connection = await Connection.open({ host: server.host, port: server.port });
  const dumps = await connection.batch([
    ['SET', 's', 'restored'],
    ['HSET', 'h', 'a', 'r', 'b', 'r'],
    ['SADD', 't', 'a', 'b'],
    ['ZADD', 'z', '1', 'a', '2', 'b'],
    ...['s', 'h', 't', 'z'].map((key) => ['DUMP', key]),
  ]);
  payloads = dumps.slice(4).map((reply) => (reply as Buffer).toString('latin1'));
  return () => connection.close();
});

/** One random command on `key`; `other` is a key of the same slot. Fields and members are few, so that they meet. */
function randomWords(
  flavour: number,
  key: string,
  other: string,
  nearMs: number,
  random: (n: number) => number,
): Words {
  const member = 'ab'[random(2)] as string;
  const value = String(random(5));
  const soon = String(random(3) === 0 && nearMs > 0 ? nearMs : Date.now() + FAR_MS + random(1000));
  const general: readonly Words[] = [
    ['PEXPIREAT', key, soon],
    ['PEXPIREAT', key, soon],
    ['PERSIST', key],
    ['DEL', key],
    ['UNLINK', key, other],
    ['RENAME', key, other],
    ['COPY', key, other, 'REPLACE'],
    ['RESTORE', key, soon, payloads[random(payloads.length)] as string, 'REPLACE', 'ABSTTL'],
    ['RESTORE', key, '0', payloads[random(payloads.length)] as string, 'ABSTTL', 'replace'],
  ];
  const ofType: readonly (readonly Words[])[] = [
    [
      ['SET', key, value],
      ['SET', key, value, 'KEEPTTL'],
      ['SET', key, value, 'PXAT', soon],
      ['SET', key, value, 'NX'],
      ['SET', key, value, 'XX', 'KEEPTTL'],
      ['INCR', key],
      ['APPEND', key, value],
      ['MSET', key, value, other, member],
    ],
    [
      ['HSET', key, member, value],
      ['HSET', key, 'a', value, 'b', value],
      ['HMSET', key, member, value],
      ['HDEL', key, member],
      ['HSETNX', key, member, value],
      ['HINCRBY', key, member, '1'],
    ],
    [
      ['SADD', key, member],
      ['SADD', key, 'a', 'b'],
      ['SREM', key, member],
      ['SMOVE', key, other, member],
      ['SUNIONSTORE', key, key, other],
    ],
    [
      ['ZADD', key, value, member],
      ['ZADD', key, value, 'a', value, 'b'],
      ['ZADD', key, 'GT', value, member],
      ['ZADD', key, 'NX', value, member],
      ['ZREM', key, member],
      ['ZINCRBY', key, '1', member],
    ],
    [
      ['RPUSH', key, member],
      ['LPUSH', key, member],
      ['LPOP', key],
      ['LREM', key, '1', member],
    ],
    [
      ['XADD', key, '*', member, value],
      ['XDEL', key, `${value}-1`],
      ['XTRIM', key, 'MAXLEN', '2'],
      ['XSETID', key, `${value}-1`],
    ],
  ];
  const pool =
    random(10) < 3 ? general : (ofType[random(10) < 8 ? flavour : random(ofType.length)] as readonly Words[]);
  const words = pool[random(pool.length)] as Words;
  // A source sends XADD with the id it gave; equal ids fail in both runs alike.
  return words[0] === 'XADD' ? ['XADD', key, `${random(50)}-1`, member, value] : words;
}

/** What ends a near expiry: the key is renewed, written anew, made lasting or deleted. */
function renewal(key: string, random: (n: number) => number): Words {
  const far = String(Date.now() + FAR_MS);
  const choices: readonly Words[] = [
    ['PEXPIREAT', key, far],
    ['PERSIST', key],
    ['SET', key, 'renewed'],
    ['SET', key, 'renewed', 'PXAT', far],
    ['DEL', key],
    ['RESTORE', key, far, payloads[0] as string, 'ABSTTL', 'REPLACE'],
  ];
  return choices[random(choices.length)] as Words;
}

function makeTrial(name: string, bare: Classifier, nearMs: number, random: (n: number) => number): Trial {
  const keys = [`{${name}a}1`, `{${name}a}2`, `{${name}b}1`];
  const flavour = random(6);
  const steps: Step[] = [];
  const add = (words: Words): void => {
    const { buffer, offsets, lengths, argc } = rangesOf(words);
    steps.push({
      words,
      slot: words[1] === keys[2] ? 1 : 0,
      bare: bare({ bytes: buffer, offsets, lengths, count: argc }),
    });
  };
  const near = new Set<string>();
  const addRandom = (count: number, expiry: number): void => {
    while (count-- > 0) {
      const key = random(3);
      const own = keys[key] as string;
      // The second slot has one key.
      const words = randomWords(flavour, own, keys[key === 2 ? 2 : 1 - key] as string, expiry, random);
      if (words.includes(String(nearMs))) for (const each of keys.slice(0, 2)) near.add(own === keys[2] ? own : each);
      add(words);
      // Long runs of bare commands are where mistakes show: of the wrapped ones only some stay.
      if (count > 0 && !(steps.at(-1) as Step).bare && steps.length > 6 && random(10) < 7) steps.pop();
    }
  };
  addRandom(4 + random(16), nearMs);
  for (const key of near) add(renewal(key, random));
  addRandom(random(4), 0);
  const crash = steps.length;
  addRandom(random(5), 0);
  return { keys, steps, crash, from: random(crash + 1), markers: [`m:${name}a`, `m:${name}b`] };
}

function stepCommands({ words, slot, bare }: Step, index: number, trial: Trial): Command[] {
  const command = words.map((word) => Buffer.from(word, 'latin1'));
  return bare ? [command] : [['MULTI'], command, ['SET', trial.markers[slot], String(index)], ['EXEC']];
}

interface Outcome {
  readonly trials: number;
  readonly replayed: number;
  /** The first trial whose two runs ended differently, in words. */
  readonly divergence: string | null;
}

interface FuzzOptions {
  readonly bare: Classifier;
  readonly seed: number;
  readonly seconds: number;
  /** Whether a slot's marker covers its bare commands, as it must. */
  readonly skipsBare: boolean;
}

async function fuzz(options: FuzzOptions): Promise<Outcome> {
  const random = randomFrom(options.seed);
  const end = performance.now() + options.seconds * 1000;
  let trials = 0;
  let replayed = 0;
  for (let round = 0; performance.now() < end; round++) {
    const nearMs = round % BATCHES_BETWEEN_NEAR === 0 ? Date.now() + NEAR_MS : 0;
    const batch = Array.from({ length: TRIALS_AT_ONCE }, (_, i) => makeTrial(`t${i}`, options.bare, nearMs, random));
    await connection.call(['FLUSHALL']);
    const straight = batch.flatMap(({ steps }) =>
      steps.map(({ words }) => words.map((word) => Buffer.from(word, 'latin1'))),
    );
    const crashed = batch.flatMap((trial) =>
      trial.steps.slice(0, trial.crash).flatMap((step, i) => stepCommands(step, i, trial)),
    );
    await Promise.all([connection.batch(straight, STRAIGHT), connection.batch(crashed, RESUMED)]);
    if (nearMs !== 0) {
      if (Date.now() >= nearMs - 20) continue;
      await delay(nearMs - Date.now() + 20);
    }
    const markers = await connection.batch(
      batch.map((trial): Command => ['MGET', ...trial.markers]),
      RESUMED,
    );
    const again = batch.flatMap((trial, t) => {
      const upTo = (markers[t] as Reply[]).map((reply) => (reply === null ? -1 : Number(String(reply))));
      return trial.steps.flatMap((step, i) => {
        const covered = i <= (upTo[step.slot] as number) && (options.skipsBare || !step.bare);
        if (i < trial.from || covered) return [];
        if (i < trial.crash) replayed++;
        return stepCommands(step, i, trial);
      });
    });
    await connection.batch(again, RESUMED);
    const states = await Promise.all([stateOf(batch, STRAIGHT), stateOf(batch, RESUMED)]);
    trials += batch.length;
    for (const [t, trial] of batch.entries()) {
      const [once, twice] = [states[0][t], states[1][t]];
      if (once !== twice) return { trials, replayed, divergence: describe(trial, `${once}`, `${twice}`) };
    }
  }
  return { trials, replayed, divergence: null };
}

/** For each trial the digests (of type and value) and the expiries of its keys. */
async function stateOf(batch: readonly Trial[], database: number): Promise<string[]> {
  const perTrial = 4;
  const replies = await connection.batch(
    batch.flatMap(({ keys }): Command[] => [
      ['DEBUG', 'DIGEST-VALUE', ...keys],
      ...keys.map((key) => ['PEXPIRETIME', key]),
    ]),
    database,
  );
  return batch.map((_, t) =>
    replies
      .slice(t * perTrial, (t + 1) * perTrial)
      .map(String)
      .join(' '),
  );
}

function describe({ steps, crash, from }: Trial, once: string, twice: string): string {
  const lines = steps.map(({ words, slot, bare }, i) => {
    const marks = `${i === from ? 'resume>' : ''}${i === crash ? 'crash>' : ''}`.padStart(14);
    const text = words.map((word) => (/^[\x21-\x7e]*$/.test(word) ? word : '(payload)')).join(' ');
    return `${marks} ${i} slot ${slot} ${bare ? 'bare   ' : 'wrapped'} ${text}`;
  });
  return [...lines, `straight ${once}`, `resumed  ${twice}`].join('\n');
}

/** The list, and mistakenly also these commands. */
function alsoBare(...names: readonly string[]): Classifier {
  return (command) => {
    const start = command.offsets[0] as number;
    const name = command.bytes.toString('latin1', start, start + (command.lengths[0] as number));
    return isBare(command) || names.includes(name);
  };
}

test(`a replay of any part ends as the straight run did (${SECONDS} s, seed ${SEED})`, {
  timeout: (SECONDS + 30) * 1000,
}, async () => {
  const outcome = await fuzz({ bare: isBare, seed: SEED, seconds: SECONDS, skipsBare: true });
  expect(outcome.divergence).toBeNull();
  // A machine too slow for NEAR_MS would have looked at nothing.
  expect(outcome.replayed).toBeGreaterThan(1000);
  console.log(`replay fuzz: ${outcome.trials} trials, ${outcome.replayed} commands replayed`);
});

// The harness must be able to fail.
test.each(['PEXPIREAT', 'PERSIST', 'SREM', 'HDEL', 'ZREM', 'INCR', 'LPUSH', 'RENAME', 'SUNIONSTORE'])(
  'it finds that %s on the list is a mistake',
  async (name) => {
    const outcome = await fuzz({ bare: alsoBare(name), seed: SEED, seconds: MISTAKE_SECONDS, skipsBare: true });
    expect(outcome.divergence ?? 'none').toContain(name);
  },
);

test("it finds that bare commands below their slot's marker must be passed over as well", async () => {
  const outcome = await fuzz({ bare: isBare, seed: SEED, seconds: MISTAKE_SECONDS, skipsBare: false });
  expect(outcome.divergence).not.toBeNull();
});
