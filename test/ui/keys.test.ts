// What the keys do, through the real input path: coalesced, pasted, confirmed, refused.
import type { Key } from 'ink';
import { expect, test } from 'vitest';
import type { AuditEntry } from '../../source/engine/contract/order.ts';
import { keyNames } from '../../source/ui/key-parser.ts';
import { openSession, type Session } from './screen-session.ts';

const selected = ({ terminal }: Session): string => /▸ (shard-\d+)/.exec(terminal.screen().join('\n'))?.[1] ?? '';

const NO_KEY: Key = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
};

test.each([
  ['jj', NO_KEY, ['j', 'j']],
  ['y\r', NO_KEY, ['y', 'enter']],
  ['\t\t', NO_KEY, ['tab', 'tab']],
  ['j\x0ck', NO_KEY, ['j', 'ctrl+l', 'k']],
  ['中文', NO_KEY, ['中', '文']],
  ['c', { ...NO_KEY, ctrl: true }, ['ctrl+c']],
  ['', { ...NO_KEY, pageUp: true }, ['pgup']],
  ['j', { ...NO_KEY, meta: true }, ['esc', 'j']],
  ['', NO_KEY, []],
])('splits %j', (input, key, names) => {
  expect(keyNames(input, key)).toEqual(names);
});

test('coalesced keys each count', async () => {
  const session = await openSession();
  expect(selected(session)).toBe('shard-0');
  session.terminal.press('jj');
  await session.terminal.until('the third shard', () => selected(session) === 'shard-2');
  session.terminal.press('k');
  await session.terminal.until('the second shard', () => selected(session) === 'shard-1');
  session.terminal.press('\x1b[A\x1b[A');
  await session.terminal.until('the first shard', () => selected(session) === 'shard-0');
  await session.finish();
});

test('p pauses the selected shard and resumes it, and says what undoes it', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('jp');
  await terminal.until('the pause', (text) => text.includes('| paused') && text.includes('p undoes it'));
  expect(fake.commands).toEqual([{ type: 'pause', shards: [1] }]);
  terminal.press('p');
  await terminal.until('the resume', (text) => !text.includes('| paused'));
  expect(fake.commands.at(-1)).toEqual({ type: 'resume', shards: [1] });
  await finish();
});

test('a second press goes by what was asked for, not by a picture that does not show it yet', async () => {
  const { terminal, fake, finish } = await openSession();
  for (const id of [0, 1, 2]) fake.edit(id, { paused: false });
  terminal.press('p');
  await terminal.until('the answer', (text) => text.includes('p undoes it'));
  terminal.press('p');
  await terminal.until('the second command', () => fake.commands.length === 2);
  terminal.press('pp');
  await terminal.until('all of them', () => fake.commands.length === 4);
  expect(fake.commands.map(({ type }) => type)).toEqual(['pause', 'resume', 'pause', 'resume']);
  terminal.press('pjpjp');
  await terminal.until('every shard', () => fake.commands.length === 7);
  terminal.press('P');
  await terminal.until('the opposite', (text) => text.includes('Resume 3 paused shards?'));
  terminal.press('n');
  fake.advance(1500);
  fake.edit(1, { state: 'retrying' });
  await terminal.until('a newer picture', (text) => text.includes('retrying') && !text.includes('paused shards?'));
  terminal.press('P');
  await terminal.until('what the pictures tell', (text) => text.includes('Pause all 3 shards?'));
  terminal.press('n');
  await finish();
});

test('a long answer takes two lines of the foot', async () => {
  const { terminal, fake, finish } = await openSession();
  fake.refuse(`${'one of many words '.repeat(6)}end.`);
  terminal.press('p');
  await terminal.until('the end of it', (text) => /^ one of many.*\n .*words end\.$/m.test(text));
  await finish();
});

test('a command that was refused is not counted on', async () => {
  const { terminal, fake, finish } = await openSession();
  fake.refuse('there is no such shard.');
  terminal.press('p');
  await terminal.until('the refusal', (text) => text.includes('no such shard'));
  terminal.press('p');
  await terminal.until('the second command', () => fake.commands.length === 2);
  expect(fake.commands.map(({ type }) => type)).toEqual(['pause', 'pause']);
  await finish();
});

test('P asks first; enter, escape and n mean no', async () => {
  const { terminal, fake, finish } = await openSession();
  for (const no of ['\r', '\x1b', 'n', 'q']) {
    terminal.press('P');
    await terminal.until('the question', (text) => text.includes('Pause all 3 shards?'));
    terminal.press(no);
    await terminal.until('no question', (text) => !text.includes('Pause all'));
  }
  expect(fake.commands).toEqual([]);
  terminal.press('P');
  await terminal.until('the question', (text) => text.includes('Pause all 3 shards?'));
  terminal.press('y');
  await terminal.until('all paused', (text) => text.includes('3 paused'));
  terminal.press('P');
  await terminal.until('the opposite', (text) => text.includes('Resume 3 paused shards?'));
  terminal.press('y');
  await terminal.until('none paused', (text) => !text.includes('3 paused'));
  expect(fake.commands).toEqual([
    { type: 'pause', shards: 'all' },
    { type: 'resume', shards: 'all' },
  ]);
  await finish();
});

test('a yes that is older than the question does not answer it', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('qy');
  await terminal.until('the question', (text) => text.includes('Stop the migration?'));
  expect(fake.commands).toEqual([]);
  terminal.press('n');
  await terminal.until('no question', (text) => !text.includes('Stop the migration?'));
  await finish();
});

test('pasted text never acts', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.paste('pjq\ry');
  await terminal.until('the sentence', (text) => text.includes('Pasted text is ignored'));
  expect(fake.commands).toEqual([]);
  expect(terminal.screen().join('\n')).not.toContain('Stop the migration?');
  await finish();
});

test('q, yes: stops and shows the draining; q, yes again: leaves without it', async () => {
  const { terminal, fake, end } = await openSession();
  terminal.press('q');
  await terminal.until('the question', (text) => text.includes('Stop the migration? 10.0.1.10:6379'));
  terminal.press('y');
  await terminal.until('draining', (text) => /draining/.test(text));
  expect(fake.commands).toEqual([{ type: 'stop' }]);
  terminal.press('q');
  await terminal.until('the second question', (text) => text.includes('Leave now'));
  terminal.press('y');
  expect(await end).toBe('abandoned');
});

test('ctrl+c: a hint, then the stop, then the question', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('\x03');
  await terminal.until('the hint', (text) => text.includes('ctrl+c again'));
  expect(fake.commands).toEqual([]);
  terminal.press('\x03');
  await terminal.until('draining', (text) => /draining/.test(text));
  expect(fake.commands).toEqual([{ type: 'stop' }]);
  terminal.press('\x03');
  await terminal.until('the question', (text) => text.includes('Leave now'));
  terminal.press('\r');
  await terminal.until('no question', (text) => !text.includes('Leave now'));
  await finish();
});

test('enter opens the shard, escape closes it, numbers switch, m and s rearrange', async () => {
  const { terminal, fake, finish } = await openSession({ shards: 6 });
  terminal.press('j');
  terminal.press('\r');
  await terminal.until('the detail', (text) => text.includes('replid'));
  terminal.press('l');
  await terminal.until('the next shard', (text) => /─ shard-\d/.test(text));
  terminal.press('\x1b');
  await terminal.until('the overview', (text) => !text.includes('replid'));
  terminal.press('3');
  await terminal.until('the log', (text) => text.includes('Nothing to report yet'));
  terminal.press('1m');
  await terminal.until('lines', (text) => text.includes('One line a shard'));
  fake.edit(4, { state: 'failed', lastError: 'no route to 10.0.1.14:6379' });
  await terminal.until('the failure', (text) => text.includes('x FAILED'));
  terminal.press('s');
  await terminal.until('the failed one on top', (text) => /state .*\n▸ shard-4 {3}x FAILED/.test(text));
  await finish();
});

test('the log stands still while it is read, and follows again at its end', async () => {
  const { terminal, fake, finish } = await openSession();
  for (let index = 0; index < 100; index += 1) fake.notice('info', 'shard-0', `event number ${index}.`);
  terminal.press('3');
  await terminal.until('the newest', (text) => text.includes('event number 99.'));
  terminal.press('\x1b[5~');
  await terminal.until('a page up', (text) => text.includes('below') && !text.includes('event number 99.'));
  const page = terminal.screen().slice(4, -1);
  fake.notice('warn', null, 'something new.');
  await terminal.until('the count grows', (text) => /↓ 20 below/.test(text));
  expect(terminal.screen().slice(4, -1)).toEqual(page);
  terminal.press('g');
  await terminal.until('the oldest', (text) => text.includes('event number 0.'));
  terminal.press('G');
  await terminal.until('the newest', (text) => text.includes('something new.'));
  fake.notice('error', 'shard-1', 'newer still.');
  await terminal.until('following', (text) => text.includes('ERROR   shard-1   newer still.'));
  await finish();
});

test('notices stay in the log when the engine has let go of them', async () => {
  const { terminal, fake, finish } = await openSession();
  fake.notice('warn', 'shard-0', 'the very first one.');
  await terminal.until('it shows', (text) => text.includes('the very first one.'));
  for (let index = 0; index < 600; index += 1) fake.notice('info', 'shard-0', `event number ${index}.`);
  await terminal.until('the last', (text) => text.includes('event number 599.'));
  terminal.press('3g');
  await terminal.until('the first', (text) => text.includes('the very first one.'));
  await finish();
});

test('ctrl+l paints a disturbed screen again', async () => {
  const { terminal, finish } = await openSession();
  const before = terminal.screen();
  terminal.stdout.write('\x1b[5;5HDISTURBED\x1b[24;1H');
  await terminal.until('the disturbance', (text) => text.includes('DISTURBED'));
  terminal.press('\x0c');
  await terminal.until('a clean screen', (text) => text.includes('redferry') && !text.includes('DISTURBED'));
  expect(terminal.screen().map((line) => line.slice(0, 20))).toEqual(before.map((line) => line.slice(0, 20)));
  await finish();
});

test('control characters in foreign text reach the screen as text', async () => {
  const { terminal, fake, finish } = await openSession();
  fake.notice('error', 'shard-0', 'evil \x1b]0;title\x07 \x1b[2J\nkey');
  await terminal.until('the notice', (text) => text.includes('evil \\x1b]0;title\\x07 \\x1b[2J key'));
  await finish();
});

test('the help is paged where it is longer than the terminal', async () => {
  const { terminal, finish } = await openSession({ rows: 18 });
  terminal.press('?');
  await terminal.until('the first page', (text) => text.includes('Keys') && text.includes('move; the arrow keys too'));
  terminal.press('\x1b[6~\x1b[6~\x1b[6~');
  await terminal.until('the last page', (text) => text.includes('stop and leave') && !text.includes('move; the arrow'));
  terminal.press('kk');
  await terminal.until('lines below', (text) => /Keys .* 2 below/.test(text));
  terminal.press('g');
  await terminal.until('the first page again', (text) => text.includes('move; the arrow keys too'));
  terminal.press('G');
  await terminal.until('the last page again', (text) => !/Keys .* below/.test(text));
  terminal.press('?');
  await terminal.until('the overview', (text) => !text.includes('Keys'));
  await finish();
});

test('t and T take a rate as text, - halves at once, + asks', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('+');
  await terminal.until('nothing to raise', (text) => text.includes('no limit of its own'));
  terminal.press('t');
  await terminal.until('the question', (text) => text.includes('How fast may shard-0 go? Now: no limit'));
  terminal.press('very fast\r');
  await terminal.until('the sentence', (text) => text.includes('can not be read'));
  terminal.press('\x15');
  terminal.press('20mb 5000op\r');
  await terminal.until('no question', (text) => !text.includes('How fast'));
  fake.edit(0, { rate: { bytesPerSecond: 20 * 2 ** 20, operationsPerSecond: 5000 } });
  await terminal.until('its limit', (text) => text.includes('max 20mb/s'));
  terminal.press('-');
  await terminal.until('the answer', (text) => text.includes('(+ undoes it)'));
  terminal.press('+');
  await terminal.until('the way back', (text) =>
    text.includes('shard-0 from 10mb/s and 2500 op/s to 20mb/s and 5000 op/s?'),
  );
  terminal.press('y');
  await terminal.until('no question', (text) => !text.includes('5000 op/s?'));
  terminal.press('T');
  await terminal.until('the question', (text) => text.includes('How fast may the whole run go?'));
  terminal.press('configured\r');
  await terminal.until('no question', (text) => !text.includes('How fast'));
  const rate = (mb: number, op: number | null) => ({ bytesPerSecond: mb * 2 ** 20, operationsPerSecond: op });
  expect(fake.commands).toEqual([
    { type: 'setRate', shards: [0], rate: rate(20, 5000) },
    { type: 'setRate', shards: [0], rate: rate(10, 2500) },
    { type: 'setRate', shards: [0], rate: rate(20, 5000) },
    { type: 'setRate', shards: 'all', rate: null },
  ]);
  expect(fake.orders.map((order) => order?.confirmed)).toEqual(['yes', 'no', 'yes', 'yes']);
  await finish();
});

test('the limit of the run stands in the head, the reason of a slow shard on its panel', async () => {
  const { terminal, fake, finish } = await openSession({ columns: 120, rows: 30 });
  const limit = { bytesPerSecond: 5 * 2 ** 20, operationsPerSecond: null };
  fake.setRate({ limit, origin: 'schedule', automatic: null });
  fake.edit(1, { throttled: 'the schedule (01:00 to 05:00) of 5mb/s' });
  await terminal.until('the limit', (text) => text.includes('max 5mb/s'));
  await terminal.until('the reason', (text) => text.includes('slowed down by the schedule (01:00 to 05:00)'));
  await finish();
});

test('a paused shard counts down on its panel; little time is an alarm that nothing hides', async () => {
  const { terminal, fake, finish } = await openSession();
  fake.edit(0, { paused: true, budget: { isFull: false, secondsToFull: 750, secondsToFullSync: 810 } });
  await terminal.until('the countdown', (text) =>
    text.includes('paused by you; queue full in 12m; new full sync in 13m'),
  );
  fake.edit(0, {
    budget: { isFull: true, secondsToFull: 0, secondsToFullSync: 42 },
    waitingFor: 'something else',
  });
  await terminal.until('the alarm', (text) => text.includes('QUEUE FULL; new full sync in 42s; paused by you'));
  fake.edit(0, { paused: false, budget: null, waitingFor: null, etaSeconds: 95 });
  await terminal.until('the way back', (text) => /eta\s+1m35s/.test(text) && !text.includes('QUEUE FULL'));
  await finish();
});

test('r tries again, after a failure only with a yes; R asks; X takes the name of the target', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('rX');
  terminal.press('R');
  await terminal.until('the question', (text) => text.includes('Copy shard-0 anew?'));
  terminal.press('y');
  await terminal.until('no question', (text) => !text.includes('anew?'));
  fake.edit(0, { state: 'retrying', lastError: 'gone' });
  await terminal.until('the state', (text) => text.includes('retrying'));
  terminal.press('r');
  await terminal.until('the answer', () => fake.commands.length === 2);
  fake.edit(0, { state: 'failed' });
  await terminal.until('the state', (text) => text.includes('1 FAILED'));
  terminal.press('r');
  await terminal.until('the question', (text) => text.includes('Begin shard-0 once more?'));
  terminal.press('y');
  await terminal.until('no question', (text) => !text.includes('once more?'));
  terminal.press('X');
  await terminal.until('the question', (text) => text.includes('Go on without shard-0?'));
  terminal.press('10.9.4.20:6379\r');
  await terminal.until('no question', (text) => !text.includes('Go on without'));
  expect(fake.commands).toEqual([
    { type: 'restartShard', shard: 0 },
    { type: 'retryShard', shard: 0 },
    { type: 'retryShard', shard: 0 },
    { type: 'skipShard', shard: 0 },
  ]);
  expect(fake.orders.map((order) => order?.confirmed)).toEqual(['yes', 'no', 'yes', { target: '10.9.4.20:6379' }]);
  await finish();
});

test('what the source has deleted since is removed from the target by its name, and only where there is any', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('D');
  fake.edit(0, { leftovers: 1234 });
  terminal.press('2');
  await terminal.until('the number', (text) => text.includes('1,234 left over, press D'));
  terminal.press('D');
  await terminal.until('the question', (text) =>
    text.includes('Remove 1,234 keys that shard-0 has deleted from the target?'),
  );
  terminal.press('y\r');
  await terminal.until('the sentence', (text) => text.includes('not the name of the target'));
  terminal.press('\x15');
  terminal.press('10.9.4.20:6379\r');
  await terminal.until('no question', (text) => !text.includes('Remove 1,234'));
  expect(fake.commands).toEqual([{ type: 'removeLeftovers', shards: [0] }]);
  expect(fake.orders.map((order) => order?.confirmed)).toEqual([{ target: '10.9.4.20:6379' }]);
  await finish();
});

test('finishing in sync takes a yes, out of sync the name of the target', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('F');
  await terminal.until('the question', (text) => text.includes('Every shard is in sync'));
  terminal.press('\r');
  await terminal.until('no question', (text) => !text.includes('Finish the migration?'));
  fake.edit(1, { state: 'full-sync' });
  await terminal.until('the state', (text) => text.includes('2/3 streaming'));
  terminal.press('F');
  await terminal.until('the other question', (text) => text.includes('Type 10.9.4.20:6379 and enter'));
  terminal.press('y\r');
  await terminal.until('the sentence', (text) => text.includes('not the name of the target'));
  terminal.press('\x15');
  terminal.press('10.9.4.20:63799\x7f');
  await terminal.until('the name', (text) => text.includes('> 10.9.4.20:6379_'));
  expect(fake.commands).toEqual([]);
  terminal.press('\r');
  await terminal.until('no question', (text) => !text.includes('Finish the migration?'));
  expect(fake.commands).toEqual([{ type: 'finish' }]);
  expect(fake.orders).toEqual([{ client: 'screen', confirmed: { target: '10.9.4.20:6379' } }]);
  await finish();
});

test('escape leaves a question with a name unanswered, whatever was typed', async () => {
  const { terminal, fake, finish } = await openSession();
  fake.edit(1, { state: 'failed' });
  await terminal.until('the state', (text) => text.includes('1 FAILED'));
  terminal.press('F');
  await terminal.until('the question', (text) => text.includes('NOT in sync'));
  terminal.press('10.9.4.20:6379');
  await terminal.until('the name', (text) => text.includes('> 10.9.4.20:6379_'));
  terminal.press('\x1b');
  await terminal.until('no question', (text) => !text.includes('Finish the migration?'));
  expect(fake.commands).toEqual([]);
  await finish();
});

test('who only watches is told so by every key that steers, and sees no such hint', async () => {
  const { terminal, fake, end } = await openSession({ screen: { readOnly: true, isAttached: true } });
  expect(terminal.screen().at(-1)).toMatch(/READ-ONLY/);
  expect(terminal.screen().at(-1)).not.toMatch(/pause/);
  for (const key of ['p', 'P', 'S', 'F', 'R', '-', 't', 'T']) {
    terminal.press(key);
    await terminal.until('the sentence', (text) => text.includes('only watches'));
    terminal.press('\x0c');
    await terminal.until('no sentence', (text) => !text.includes('only watches'));
  }
  expect(fake.commands).toEqual([]);
  terminal.press('q');
  expect(await end).toBe('abandoned');
});

test('4 shows who asked for what, the refused as well, and scrolls', async () => {
  const { terminal, fake, finish } = await openSession();
  terminal.press('4');
  await terminal.until('nothing', (text) => text.includes('Nobody has asked for anything yet.'));
  const entry = (id: number): AuditEntry => ({
    id,
    timeMs: fake.now(),
    client: 'ctl (process 7)',
    command: { type: 'pause', shards: [id] },
    confirmed: 'no',
    accepted: true,
    message: `Paused shard-${id}.`,
    change: null,
  });
  const finished: AuditEntry = {
    ...entry(60),
    client: 'me',
    command: { type: 'finish' },
    confirmed: { target: 'db2' },
    accepted: false,
    message: 'No.',
    change: { from: 'a', to: 'b' },
  };
  fake.writeAudit([...Array.from({ length: 50 }, (_, id) => entry(id)), finished]);
  await terminal.until('the newest', (text) =>
    /finish +REFUSED: No\. a → b\. \(by me, confirmed with\s+db2\)/.test(text),
  );
  terminal.press('g');
  await terminal.until('the oldest', (text) => text.includes('Paused shard-0. (by ctl (process 7))'));
  await finish();
});
