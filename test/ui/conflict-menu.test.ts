// The dialogs about conflicts: they fit, in both languages, and what each key asks of the engine.
import { expect, test } from 'vitest';
import type { ConflictQuestion } from '../../source/engine/contract/conflict.ts';
import { openSession } from './screen-session.ts';

const SIDE = { type: 'hash', size: 2, bytes: 38, expiresAtMs: null, encoding: 'listpack', preview: ['user', 'alice'] };
const QUESTION: ConflictQuestion = {
  kind: 'key',
  number: 7,
  database: 3,
  key: `session:${'x'.repeat(150)}\\x00`,
  difference: 'value',
  source: SIDE,
  target: { ...SIDE, size: null, expiresAtMs: Date.UTC(2026, 10, 21), preview: [] },
};
const COLLECTED: ConflictQuestion = {
  kind: 'collected',
  number: 8,
  total: 1234,
  differences: { type: 1000, value: 230, expiry: 4, 'not-compared': 0 },
};
const standing = (question: ConflictQuestion | null) => ({ conflictStanding: { question, collected: 0, kept: 0 } });

test.each(['en', 'zh'] as const)('fit into 80 x 24, whatever they show (%s)', async (language) => {
  const { terminal, fake, finish } = await openSession({ screen: { language } });
  for (const question of [QUESTION, COLLECTED]) {
    fake.edit(1, standing(question));
    await terminal.until('the dialog', (text) => text.includes('esc') && text.includes('shard-1'));
    expect(terminal.screen()).toHaveLength(24);
    const box = terminal.screen().filter((line) => /^.{0,4}[┏┃┗].*[┓┃┛]/.test(line));
    expect(box.length).toBeGreaterThan(8);
  }
  fake.edit(1, standing(null));
  await finish();
});

test('a small terminal keeps the answers, whatever else goes', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.resize(45, 12);
  fake.edit(1, standing(QUESTION));
  await terminal.until('every answer', (text) => /shard-1 has halted.*┃ r {4}rewrite.*┃ esc {2}later/s.test(text));
  fake.edit(1, standing(null));
  await terminal.until('no dialog', (text) => !text.includes('has halted'));
  terminal.press('P');
  terminal.resize(30, 6);
  await terminal.until('the question and its answers', (text) => /Pause all 3 shards\?.*y = yes/s.test(text));
  terminal.press('n');
  await finish();
});

test('answer the question that they show, and what rewrites asks once more', async () => {
  const { terminal, fake, finish } = await openSession();
  const about = { shard: 1, question: 7 };
  fake.edit(1, standing(QUESTION));
  await terminal.until('the question', (text) => text.includes('SNAPSHOT'));
  // Keys of the screen below do not act.
  terminal.press('p');
  terminal.press('r');
  await terminal.until('the second question', (text) => text.includes('can not be brought back'));
  terminal.press('n');
  await terminal.until('the question again', (text) => text.includes('SNAPSHOT'));
  expect(fake.commands).toEqual([]);
  terminal.press('r');
  await terminal.until('the second question', (text) => text.includes('can not be brought back'));
  terminal.press('y');
  terminal.press('i');
  await terminal.until('both answers', () => fake.commands.length === 2);
  expect(fake.commands).toEqual([
    { type: 'decideConflict', decision: 'rewrite', ...about },
    { type: 'decideConflict', decision: 'ignore', ...about },
  ]);
  fake.edit(1, standing(COLLECTED));
  await terminal.until('what was put aside', (text) => text.includes('1,234 conflicts were put aside'));
  terminal.press('o');
  await terminal.until('the answer', () => fake.commands.length === 3);
  expect(fake.commands[2]).toEqual({ type: 'decideConflict', decision: 'one-by-one', shard: 1, question: 8 });
  fake.edit(1, standing(null));
  await finish();
});

test('who only watches is not asked', async () => {
  const { terminal, fake, finish } = await openSession({ screen: { readOnly: true } });
  fake.edit(1, standing(QUESTION));
  terminal.press('?');
  await terminal.until('the help', (text) => text.includes('Keys'));
  terminal.press('?');
  await terminal.until('the overview', (text) => text.includes('shard-0') && !text.includes('Keys'));
  expect(terminal.screen().join('\n')).not.toContain('SNAPSHOT');
  terminal.press('c');
  await terminal.until('the reason', (text) => text.includes('only watches'));
  expect(fake.commands).toEqual([]);
  await finish();
});
