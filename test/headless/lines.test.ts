// The JSON contract that scripts depend on, and the plain lines.
import { expect, test } from 'vitest';
import type { EngineResult, Refusal } from '../../source/engine/contract/result.ts';
import { runJson } from '../../source/headless/json-lines.ts';
import { runPlain } from '../../source/headless/plain-lines.ts';
import { resultLines } from '../../source/headless/result-lines.ts';
import { LANGUAGES, messagesFor } from '../../source/ui/messages.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

const parse = (chunks: readonly string[]): Record<string, unknown>[] =>
  chunks.map((chunk) => {
    expect(chunk.endsWith('\n')).toBe(true);
    expect(chunk.indexOf('\n')).toBe(chunk.length - 1);
    return JSON.parse(chunk) as Record<string, unknown>;
  });

test('JSON lines: every object has its head, status at most once a second, the result last', async () => {
  const fake = createFakeEngine();
  const chunks: string[] = [];
  const done = runJson(fake.engine, (text) => chunks.push(text));
  for (let step = 0; step < 400; step += 1) fake.advance(100);
  fake.finish();
  const result = await done;
  expect(result.exitCode).toBe(0);
  const lines = parse(chunks);
  for (const line of lines) {
    expect(line).toMatchObject({ v: 1, run: 'run-1' });
    expect(new Date(String(line['time'])).toISOString()).toBe(line['time']);
  }
  const times = lines.filter(({ event }) => event === 'status').map(({ time }) => Date.parse(String(time)));
  expect(times.length).toBeGreaterThanOrEqual(40);
  for (let index = 1; index < times.length; index += 1) {
    expect((times[index] ?? 0) - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(1000);
  }
  expect(lines.map(({ event }) => event).indexOf('result')).toBe(lines.length - 1);
});

test('JSON lines: a status has exactly the fields of the contract', async () => {
  const fake = createFakeEngine({ shards: 1 });
  const chunks: string[] = [];
  const done = runJson(fake.engine, (text) => chunks.push(text));
  fake.finish();
  await done;
  const [status] = parse(chunks);
  expect(status).toEqual({
    v: 1,
    run: 'run-1',
    event: 'status',
    time: '2026-11-21T12:00:00.000Z',
    shards: [
      {
        name: 'shard-0',
        address: '10.0.1.10:6379',
        state: 'connecting',
        paused: false,
        waitingFor: null,
        keys: { done: 0, total: 2_000_000 },
        bytes: { done: 0, total: 1_000_000_000 },
        offset: { received: null, applied: null },
        lagBytes: null,
        lagSeconds: null,
        opsPerSecond: 0,
        conflicts: { rewritten: 0, ignored: 0, alreadyThere: 0, dropped: 0 },
        errors: 0,
        throttled: null,
        budget: null,
        etaSeconds: null,
        diverged: 0,
        leftovers: 0,
        slotsArriving: 0,
        spoolBytes: 0,
        queued: 0,
        held: 0,
        verified: null,
      },
    ],
    memory: { rss: 138_412_032 },
  });
});

test('JSON lines: the result has exactly the fields of the contract', async () => {
  const fake = createFakeEngine({ shards: 1 });
  const chunks: string[] = [];
  const done = runJson(fake.engine, (text) => chunks.push(text));
  fake.advance(40_000);
  fake.finish({ outcome: 'conflict', exitCode: 3, message: 'key a exists', refused: 2 });
  await done;
  expect(parse(chunks).at(-1)).toEqual({
    v: 1,
    run: 'run-1',
    event: 'result',
    time: '2026-11-21T12:00:40.000Z',
    outcome: 'conflict',
    exitCode: 3,
    message: 'key a exists',
    seconds: 40,
    keys: 2_000_000,
    commands: 12_345,
    bytes: 3_000_000_000,
    conflicts: { rewritten: 0, ignored: 0, alreadyThere: 0, dropped: 0 },
    refused: 2,
    refusals: [],
    shards: [
      {
        name: 'shard-0',
        address: '10.0.1.10:6379',
        state: 'streaming',
        keys: 2_000_000,
        commands: 16_000,
        refused: 0,
        offset: { received: 77_122_448_201, applied: expect.any(Number) },
        error: null,
      },
    ],
  });
});

test('JSON lines: each notice exactly once, also those of the last moment', async () => {
  const fake = createFakeEngine();
  fake.notice('info', null, 'before the first picture');
  const chunks: string[] = [];
  const done = runJson(fake.engine, (text) => chunks.push(text));
  for (let index = 0; index < 300; index += 1) {
    fake.notice('warn', 'shard-1', `notice ${index}`);
    fake.advance(10);
  }
  fake.notice('error', 'shard-2', 'at the end');
  fake.finish();
  await done;
  const messages = parse(chunks)
    .filter(({ event }) => event === 'notice')
    .map(({ message }) => message);
  expect(messages).toEqual([
    'before the first picture',
    ...Array.from({ length: 300 }, (_, index) => `notice ${index}`),
    'at the end',
  ]);
  expect(parse(chunks).find(({ event }) => event === 'notice')).toEqual({
    v: 1,
    run: 'run-1',
    event: 'notice',
    time: '2026-11-21T12:00:00.000Z',
    level: 'info',
    shard: null,
    message: 'before the first picture',
  });
});

test.each(LANGUAGES)('plain lines: words only, changes once, a summary every ten seconds (%s)', async (language) => {
  const fake = createFakeEngine();
  const chunks: string[] = [];
  const done = runPlain(fake.engine, { write: (text) => chunks.push(text), language });
  fake.notice('warn', 'shard-1', 'a notice\x1b[31m');
  for (let step = 0; step < 450; step += 1) fake.advance(100);
  fake.edit(0, { paused: true });
  fake.finish();
  await done;
  const text = chunks.join('');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/);
  const words = messagesFor(language);
  const lines = text.trimEnd().split('\n');
  for (const state of ['connecting', 'handshake', 'full-sync', 'catching-up', 'streaming'] as const) {
    expect(lines.filter((line) => new RegExp(`^\\S+ shard-0 ${words.state[state]}$`).test(line))).toHaveLength(1);
  }
  expect(lines.filter((line) => line.includes('a notice\\x1b[31m'))).toHaveLength(1);
  // 45 seconds have four full tens; each summary has one line for the run.
  expect(lines.filter((line) => line.includes(`, ${words.label.memory} `))).toHaveLength(4);
  expect(lines.some((line) => line.includes(words.paused))).toBe(true);
  expect(text).toContain(words.outcome.completed);
});

const RESULT: EngineResult = {
  outcome: 'failed',
  exitCode: 1,
  seconds: 83,
  keys: 1_234_567,
  commands: 89,
  bytes: 5_000_000,
  conflicts: { rewritten: 3, ignored: 4, alreadyThere: 5, dropped: 6 },
  refused: 25,
  refusals: Array.from(
    { length: 25 },
    (_, index): Refusal => ({
      shard: 'shard-0',
      database: 0,
      key: `key:${index}`,
      command: 'RESTORE',
      reason: 'OOM command not allowed',
    }),
  ),
  shards: [
    {
      name: 'shard-0',
      address: '10.0.1.10:6379',
      state: 'failed',
      keys: 1_234_567,
      commands: 89,
      refused: 25,
      offset: { received: 1, applied: 1 },
      error: 'the target is out of memory',
    },
  ],
  message: 'The target is out of memory; raise maxmemory and run again.',
};

test('result lines: outcome, reason, amounts, refusals with a limit, shards', () => {
  expect(resultLines(RESULT, messagesFor('en'))).toEqual([
    'redferry: FAILED after 1m23s (exit code 1)',
    '  The target is out of memory; raise maxmemory and run again.',
    '  1,234,567 keys, 89 stream commands, 4.77 MiB received',
    '  keys that the target had: 3 rewritten, 4 ignored, 5 already there with the same value',
    '  commands of the stream dropped for keys that were kept: 6',
    '  refused by the target for good: 25',
    ...Array.from({ length: 10 }, (_, index) => `    shard-0 db0 RESTORE key:${index}: OOM command not allowed`),
    '    and 15 more, in the log file',
    '  shard-0 10.0.1.10:6379: FAILED, 1,234,567 keys, 89 commands',
    '  shard-0: the target is out of memory',
  ]);
});

test('result lines of a refused run give the reason and no zeros', () => {
  const refused: EngineResult = { ...RESULT, outcome: 'refused', exitCode: 5, message: 'The target is a replica.' };
  expect(resultLines(refused, messagesFor('en'))).toEqual([
    'redferry: refused before anything was written after 1m23s (exit code 5)',
    '  The target is a replica.',
  ]);
});
