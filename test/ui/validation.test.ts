// The validation view through the real input path: begun by v, steered, looked through; nothing is written to the target
// before its name has been typed.
import { expect, test } from 'vitest';
import type { DifferencePicture, ValidationPicture } from '../../source/engine/contract/validation-picture.ts';
import { cellWidth } from '../../source/ui/cell-width.ts';
import { DEFAULT_LOOK } from '../../source/ui/look.ts';
import { LANGUAGES, messagesFor } from '../../source/ui/messages.ts';
import { INITIAL_UI } from '../../source/ui/ui-state.ts';
import { validationLines } from '../../source/ui/validation-lines.ts';
import { shareText, sizeText } from '../../source/ui/validation-text.ts';
import { createFakeEngine } from '../support/fake-engine.ts';
import { openSession, type Session } from './screen-session.ts';

const NAME = '10.9.4.20:6379';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const difference = (key: string, fields: Partial<DifferencePicture> = {}): DifferencePicture => ({
  database: 0,
  key: base64(key),
  type: 'list',
  aspects: ['value'],
  detail: '3 elements, on the target 2',
  diff: [{ side: 'source', text: '2: "c"' }],
  repair: null,
  ...fields,
});

const picture = (fields: Partial<ValidationPicture> = {}): ValidationPicture => ({
  state: 'done',
  size: '0.1%@95',
  startedAtMs: Date.now() - 65_000,
  endedAtMs: Date.now() - 60_000,
  done: 3000,
  total: 3000,
  keysPerSecond: 1000,
  etaSeconds: 0,
  mostKeysPerSecond: 50_000,
  suspects: 0,
  different: 2,
  repaired: 0,
  verdict: '3,000 of 2,000,000 keys checked, 2 differ; with 95 % confidence at most 4,200 keys (0.21 %) differ.',
  outcome: 'different',
  shards: [
    { side: 'source', address: '10.0.1.10:6379', keys: 2_000_000, looked: 3000, different: 2, fraction: 0.0021 },
    { side: 'target', address: '10.9.4.20:6379', keys: 2_000_000, looked: 3000, different: 0, fraction: 0.001 },
  ],
  types: [{ type: 'list', checked: 3000, different: 1, fraction: 0.0016 }],
  notes: [],
  differences: [
    difference('jobs'),
    difference('only-there', { type: 'string', aspects: ['extra'], detail: 'string is only on the target', diff: [] }),
  ],
  ...fields,
});

const RUNNING = picture({
  state: 'running',
  endedAtMs: null,
  verdict: null,
  outcome: null,
  done: 900,
  different: 0,
  differences: [],
});

/** Waits until the screen has taken the engine's newest picture. */
async function seen({ terminal, fake }: Session, mark = 'the mark of this test'): Promise<void> {
  fake.edit(0, { waitingFor: mark });
  await terminal.until('the newest picture', (text) => text.includes(mark));
}

test('v shows the view and begins the configured sample, arrows choose another, v begins that', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('v');
  await terminal.until('the view', (text) => text.includes('the configured sample'));
  expect(fake.commands).toEqual([{ type: 'validate', size: null }]);
  terminal.press('\x1b[C\x1b[C');
  await terminal.until('the choice', (text) => text.includes('10,000 keys'));
  fake.showValidation(picture());
  await terminal.until('the verdict', (text) => text.includes('2 differ;') && text.includes('! DIFFERENT'));
  terminal.press('v');
  await terminal.until('the command', () => fake.commands.length === 2);
  expect(fake.commands.at(-1)).toEqual({ type: 'validate', size: '10000' });
  await finish();
});

test('the question before the last act says what is known of the copy', async () => {
  const session = await openSession();
  const { terminal, fake, finish } = session;
  const question = async (mark: string): Promise<string> => {
    await seen(session, mark);
    terminal.press('F');
    let asked = '';
    await terminal.until('the question', (text) => {
      asked = text;
      return text.includes('Every shard is in sync');
    });
    terminal.press('n');
    await terminal.until('no question', (after) => !after.includes('Every shard is in sync'));
    return asked;
  };
  expect(await question('one')).toContain('no verdict on the copy');
  fake.showValidation(RUNNING);
  expect(await question('meanwhile')).toContain('A comparison is under way');
  // More were repaired than a picture shows.
  fake.showValidation(picture({ different: 400, repaired: 399 }));
  expect(await question('two')).toContain('found 1 key that differs');
  fake.showValidation(picture({ outcome: 'equal', different: 0, differences: [] }));
  expect(await question('three')).not.toMatch(/verdict|differ/);
  await finish();
});

test('a comparison under way is shown, paused, made slower and faster, cancelled', async () => {
  const session = await openSession();
  const { terminal, fake, finish } = session;
  fake.showValidation(RUNNING);
  await seen(session);
  terminal.press('v');
  await terminal.until('the progress', (text) => text.includes('30%  900/3,000 keys'));
  expect(fake.commands).toEqual([]);
  terminal.press('p[]xe');
  await terminal.until('the commands', () => fake.commands.length === 4);
  expect(fake.commands).toEqual([
    { type: 'steer-validation', act: 'pause' },
    { type: 'set-validation-rate', keysPerSecond: 25_000 },
    { type: 'set-validation-rate', keysPerSecond: 50_000 },
    { type: 'steer-validation', act: 'cancel' },
  ]);
  await finish();
});

test('a repair needs the name of the target; another name, enter and escape do nothing', async () => {
  const session = await openSession();
  const { terminal, fake, finish } = session;
  fake.showValidation(picture());
  await seen(session);
  terminal.press('v');
  await terminal.until('what both sides have', (text) => text.includes('- 2: "c"'));
  for (const no of ['\r', '\x1b', 'y', '10.9.4.21:6379']) {
    terminal.press('r');
    await terminal.until('the question', (text) => text.includes('Copy jobs again') && text.includes(`Type ${NAME}`));
    terminal.press(no);
    if (no.length > 1 || no === 'y') {
      await terminal.until('the name', (text) => text.includes(`> ${no}_`));
      terminal.press('\r');
      await terminal.until('that it is another', (text) => text.includes('not the name'));
      terminal.press('\x1b');
    }
    await terminal.until('no question', (text) => !text.includes('Copy jobs again'));
  }
  expect(fake.commands).toEqual([]);
  terminal.press('r');
  await terminal.until('the question', (text) => text.includes('Copy jobs again'));
  terminal.press(`${NAME}x\x7f`);
  await terminal.until('the name', (text) => text.includes(`> ${NAME}_`));
  terminal.press('\r');
  await terminal.until('the command', () => fake.commands.length === 1);
  const jobs = { database: 0, key: base64('jobs') };
  expect(fake.commands).toEqual([{ type: 'repair-differences', kind: 'differing', keys: [jobs] }]);
  await finish();
});

test('an extra key is no part of a repair and is deleted only when asked for by itself, also after the end of the run', async () => {
  const session = await openSession();
  const { terminal, fake, end } = session;
  fake.showValidation(picture());
  await seen(session);
  fake.finish();
  terminal.press('v');
  await terminal.until('the keys', (text) => text.includes('only-there'));
  terminal.press('X');
  await terminal.until('the answer', (text) => text.includes('not one that only the target has'));
  terminal.press('jr');
  await terminal.until('the answer', (text) => text.includes('No confirmed difference is left'));
  terminal.press('X');
  await terminal.until('the question', (text) => text.includes('Delete only-there from the target?'));
  terminal.press(NAME);
  terminal.press('\r');
  await terminal.until('the command', () => fake.commands.length === 1);
  const extra = { database: 0, key: base64('only-there') };
  expect(fake.commands).toEqual([{ type: 'repair-differences', kind: 'extra', keys: [extra] }]);
  terminal.press('q');
  await end;
});

test('pages and ends go through the differing keys, and leave the selected shard alone', async () => {
  const session = await openSession();
  const { terminal, fake, finish } = session;
  const differences = Array.from({ length: 30 }, (_, index) => difference(`key-${index}.`));
  fake.showValidation(picture({ differences }));
  await seen(session);
  terminal.press('v\x1b[6~');
  await terminal.until('a page down', (text) => /▸ db0 \S+ +key-10\./.test(text));
  terminal.press('G');
  await terminal.until('the last', (text) => /▸ db0 \S+ +key-29\./.test(text));
  terminal.press('g1');
  await terminal.until('the same shard', (text) => text.includes('▸ shard-0'));
  await finish();
});

test('the age of the verdict stands beside the shard', async () => {
  const { terminal, fake, finish } = await openSession({ columns: 100, rows: 40, shards: 1 });
  const verified = { atMs: fake.now() - 2 * 3600 * 1000, checked: 3000, different: 0, fraction: 0.001, stale: false };
  fake.edit(0, { verified });
  await terminal.until('the age', (text) => text.includes('verified 2h00m ago'));
  fake.edit(0, { verified: { ...verified, stale: true } });
  await terminal.until('that it is stale', (text) => text.includes('verification is stale'));
  fake.edit(0, { verified: { ...verified, different: 7 } });
  await terminal.until('the differences', (text) => text.includes('7 DIFFER'));
  await finish();
});

test.each(LANGUAGES)('no size of terminal and no picture makes a line too long or a view too tall (%s)', (language) => {
  const look = { ...DEFAULT_LOOK, messages: messagesFor(language) };
  const { engine } = createFakeEngine();
  const many = Array.from({ length: 100 }, (_, index) => difference(`key ${index} ${'\u001b[2J语'.repeat(30)}`));
  const pictures = [null, RUNNING, picture(), picture({ differences: many, notes: ['x'.repeat(500)] })];
  for (const validation of pictures) {
    for (const [width, height] of [
      [40, 6],
      [80, 20],
      [200, 46],
    ] as const) {
      for (const chosen of [0, 57, 99]) {
        const ui = { ...INITIAL_UI, screen: 'validation' as const, difference: chosen };
        const state = {
          snapshot: { ...engine.snapshot(), validation },
          notices: [],
          conflicts: [],
          ui,
          nowMs: Date.now(),
        };
        const lines = validationLines(state, { width, height, look });
        expect(lines.length).toBeLessThanOrEqual(height);
        for (const line of lines) {
          const text = line.map((piece) => piece.text).join('');
          expect(cellWidth(text), text).toBeLessThanOrEqual(width);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: a name must not steer the terminal
          expect(text).not.toMatch(/[\u0000-\u001f]/);
        }
      }
    }
  }
});

test('figures of shards and types are whole at 80 columns', () => {
  const types = ['string', 'list', 'set', 'zset', 'hash', 'stream'].map((type) => {
    return { type, checked: 1_234_567, different: 89, fraction: 0.001 };
  });
  const { engine } = createFakeEngine();
  const snapshot = { ...engine.snapshot(), validation: picture({ types }) };
  const state = {
    snapshot,
    notices: [],
    conflicts: [],
    ui: { ...INITIAL_UI, screen: 'validation' as const },
    nowMs: 0,
  };
  const lines = validationLines(state, { width: 80, height: 20, look: DEFAULT_LOOK });
  const text = lines.map((line) => line.map((piece) => piece.text).join('')).join('\n');
  for (const { type } of types) expect(text).toContain(`${type} 1,234,567 (89 differ)`);
  expect(text).toMatch(/3,000\/2,000,000 {2}2 differ {2}at most 0.21 %\n/);
});

test('sizes and shares in words', () => {
  const messages = messagesFor('en');
  expect(sizeText('30000', messages)).toBe('30,000 keys');
  expect(sizeText('5%', messages)).toBe('5 % of the keys');
  expect(sizeText('0.01%@95', messages)).toBe('enough to be 95 % sure: at most 0.01 % differ');
  expect([0, 0.000_098, 0.001, 0.21].map(shareText)).toEqual(['0 %', '0.0098 %', '0.1 %', '21 %']);
});
