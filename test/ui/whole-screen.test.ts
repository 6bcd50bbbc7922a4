// The whole screen on an emulated terminal: sizes, resizing, what it sends, how it leaves.
import { expect, test, vi } from 'vitest';

vi.hoisted(() => {
  // Chalk asks once, when it is loaded; without a terminal it would send no styles at all.
  process.env['FORCE_COLOR'] = '1';
});

import type { ShardState } from '../../source/engine/contract/shard-snapshot.ts';
import { cellWidth } from '../../source/ui/cell-width.ts';
import { openSession } from './screen-session.ts';

/** SGR codes that choose a colour; 39 and 49 only go back to the terminal's own. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const COLOUR = /\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10[0-7])(?:;\d+)*m/;

const LEAVE_ALTERNATE = '\x1b[?1049l';
const SHOW_CURSOR = '\x1b[?25h';

const SIZES = [
  [80, 24],
  [200, 50],
  [100, 30],
  [132, 43],
  [60, 16],
  [59, 15],
  [40, 10],
  [30, 6],
] as const;

test.each(SIZES)('fits into %i x %i with 3 shards in English and with 40 in Chinese', async (columns, rows) => {
  for (const [shards, language] of [
    [3, 'en'],
    [40, 'zh'],
  ] as const) {
    const { terminal, fake, finish } = await openSession({ columns, rows, shards, screen: { language } });
    fake.edit(1, { state: 'failed', lastError: 'x'.repeat(500), errors: 12_345 });
    fake.notice('error', 'shard-1', `密码错误 ${'y'.repeat(500)}`);
    for (const keys of ['', '2', '?', '?', '3', '1', 'm', '']) {
      terminal.press(keys);
      fake.advance(1000);
      await terminal.until('a frame', () => terminal.stdout.writableLength === 0);
      const screen = terminal.screen();
      expect(screen.length).toBe(rows);
      for (const line of screen) expect(cellWidth(line)).toBeLessThanOrEqual(columns);
      // A frame taller than the terminal would push the head out at the top.
      expect(screen[0]).toMatch(/\d+(\/\d+|%)/);
    }
    await finish();
  }
});

test('a panel for each of three shards at 80x24, with all that the design asks of a panel', async () => {
  const { terminal, fake, finish } = await openSession({ ageSeconds: 14 });
  fake.edit(2, { waitingFor: 'the source is busy with another BGSAVE' });
  await terminal.until('the reason', (text) => text.includes('busy with another BGSAVE'));
  const text = terminal.screen().join('\n');
  for (const shard of ['shard-0 10.0.1.10:6379', 'shard-1 10.0.1.11:6379', 'shard-2 10.0.1.12:6379']) {
    expect(text).toContain(shard);
  }
  expect(text.match(/> full sync \d+s/g)).toHaveLength(3);
  expect(text.match(/\d+%/g)?.length).toBeGreaterThanOrEqual(4);
  expect(text.match(/conflict panic 0/g)).toHaveLength(3);
  expect(text).toContain('events AKE');
  expect(text).toContain('events (off)');
  expect(text).toContain('2.00M keys');
  expect(text).toContain('op/s');
  expect(text).toContain('MiB/s');
  expect(text).toContain('lag');
  await finish();
});

test('a large terminal gets side by side panels with histories, a small one lines', async () => {
  const { terminal, finish } = await openSession({ columns: 200, rows: 50 });
  expect(terminal.screen().some((line) => /shard-0.*shard-1.*shard-2/.test(line))).toBe(true);
  expect(terminal.screen().join('\n')).toContain('writes to 10.9.4.20:6379');
  terminal.resize(55, 20);
  await terminal.until('one line a shard', (text) => /^ {2}shard-1 {2}/m.test(text));
  terminal.resize(35, 8);
  await terminal.until('one line and the foot', (text) => /^ 100%.*3\/3 streaming.*\n.*q stop$/.test(text.trimEnd()));
  terminal.resize(80, 24);
  await terminal.until('panels again', (text) => text.includes('┌ shard-1'));
  expect(terminal.screen()).toHaveLength(24);
  await finish();
});

test('panels stay aligned: every border has its partner', async () => {
  const { terminal, finish } = await openSession({ columns: 160, rows: 45, shards: 6, screen: { language: 'zh' } });
  const frame = terminal.screen().slice(3, -8);
  for (const line of frame.filter((text) => /^[│┃]/.test(text))) {
    expect(line).toMatch(/^[│┃].*[│┃][│┃].*[│┃]$/);
    expect(cellWidth(line)).toBe(160);
  }
  await finish();
});

test('no colour codes with NO_COLOR, and none but the sixteen with colours', async () => {
  const plain = await openSession({ screen: { color: false } });
  plain.fake.edit(0, { state: 'failed', lastError: 'broken' });
  await plain.terminal.until('the failure', (text) => text.includes('x FAILED'));
  expect(plain.terminal.raw()).not.toMatch(COLOUR);
  // Bold and inverse stay: selection and failures must be seen.
  expect(plain.terminal.raw()).toContain('\x1b[1m');
  expect(plain.terminal.raw()).toContain('\x1b[7m');
  await plain.finish();

  const coloured = await openSession();
  expect(coloured.terminal.raw()).toMatch(COLOUR);
  expect(coloured.terminal.raw()).not.toMatch(/[34]8;[25];/);
  await coloured.finish();
});

test('the environment decides where no option does: NO_COLOR, and ASCII without a UTF-8 locale', async () => {
  vi.stubEnv('NO_COLOR', '1');
  vi.stubEnv('LC_ALL', 'C');
  const { terminal, finish } = await openSession({ lookFromEnvironment: true });
  expect(terminal.raw()).not.toMatch(COLOUR);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: everything beyond ASCII is what is looked for
  expect(terminal.screen().join('')).toMatch(/^[\x00-\x7f]*$/);
  expect(terminal.screen().join('\n')).toContain('[##');
  await finish();
  vi.unstubAllEnvs();
});

test('leaves the terminal clean, and says how it was left', async () => {
  const { terminal, fake, end } = await openSession();
  expect(terminal.isAlternate()).toBe(true);
  expect(terminal.stdin.isRaw).toBe(true);
  fake.finish();
  await terminal.until('the banner', (text) => text.includes('completed') && text.includes('exit code 0'));
  expect(terminal.isAlternate()).toBe(true);
  terminal.press('\r');
  expect(await end).toBe('ended');
  await terminal.until('the end', () => !terminal.isAlternate());
  expect(terminal.stdin.isRaw).toBe(false);
  expect(terminal.raw()).toContain(LEAVE_ALTERNATE);
  expect(terminal.raw().lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(terminal.raw().lastIndexOf('\x1b[?25l'));
});

test('leaves by itself when asked to', async () => {
  const { fake, end, terminal } = await openSession({ screen: { leaveWhenEnded: true } });
  fake.finish();
  expect(await end).toBe('ended');
  expect(terminal.raw()).toContain(LEAVE_ALTERNATE);
});

test('a crash of the screen restores the terminal and rejects', async () => {
  const { terminal, fake, end } = await openSession();
  // What no engine sends: the drawing of it throws.
  fake.edit(0, { state: 'planted' as ShardState });
  await expect(end).rejects.toThrow();
  await terminal.until('the end', () => !terminal.isAlternate());
  expect(terminal.stdin.isRaw).toBe(false);
});

test('a frozen terminal gets no further frames, and the newest one when it takes them again', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.stdout.isFrozen = true;
  fake.edit(0, { throttled: 'first rule' });
  await terminal.until('the terminal is full', () => terminal.stdout.writableLength > 0);
  const held = terminal.stdout.writableLength;
  let seen = 0;
  // Wait by the store's own ticks: it asks the stream before each picture.
  const original = fake.engine.snapshot;
  vi.spyOn(fake.engine, 'snapshot').mockImplementation(() => {
    seen += 1;
    return original();
  });
  for (let step = 0; step < 20; step += 1) {
    fake.edit(0, { throttled: `rule ${step}` });
    await terminal.until('time', () => true);
  }
  expect(seen).toBe(0);
  expect(terminal.stdout.writableLength).toBeLessThanOrEqual(held);
  terminal.stdout.thaw();
  await terminal.until('the newest rule', (text) => text.includes('rule 19'));
  await finish();
});

test('a terminal that goes away does not end the migration', async () => {
  const { terminal, fake, end } = await openSession();
  terminal.stdout.emit('error', Object.assign(new Error('write EIO'), { code: 'EIO' }));
  let hasEnded = false;
  void end.then(() => {
    hasEnded = true;
  });
  await terminal.until('the screen has gone', () => !terminal.stdin.isRaw);
  expect(hasEnded).toBe(false);
  fake.finish();
  expect(await end).toBe('ended');
});

test('at rest it sends next to nothing', async () => {
  const { terminal, fake, finish } = await openSession({ ageSeconds: 400, shards: 6, isIdle: true });
  const before = terminal.stdout.bytesWritten;
  for (let second = 0; second < 30; second += 1) {
    fake.advance(1000);
    await terminal.until('a frame', () => true);
  }
  expect(terminal.stdout.bytesWritten - before).toBeLessThan(3000);
  await finish();
});
