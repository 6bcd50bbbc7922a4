// Panels, lines, help and foot as components: what they say, in a given width, without a terminal.
import { renderToString } from 'ink';
import { render } from 'ink-testing-library';
import type { ReactElement } from 'react';
import { expect, test } from 'vitest';
import { SHARD_STATES, type ShardSnapshot } from '../../source/engine/contract/shard-snapshot.ts';
import { cellWidth } from '../../source/ui/cell-width.ts';
import type { Line } from '../../source/ui/cells.ts';
import { Header } from '../../source/ui/components/header.tsx';
import { ShardPanel } from '../../source/ui/components/shard-panel.tsx';
import { detailLines } from '../../source/ui/detail-lines.ts';
import { footerLines } from '../../source/ui/footer-lines.ts';
import { headerLines } from '../../source/ui/header-lines.ts';
import { helpLines } from '../../source/ui/help-lines.ts';
import { FOOTER, KEYMAP } from '../../source/ui/keymap.ts';
import { DEFAULT_LOOK, type Look, LookContext } from '../../source/ui/look.ts';
import { LANGUAGES, messagesFor } from '../../source/ui/messages.ts';
import { nameWidth, rowHeads, shardRow } from '../../source/ui/shard-row.ts';
import { INITIAL_UI } from '../../source/ui/ui-state.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

const START = Date.UTC(2026, 10, 21, 12, 0, 0);
const text = (line: Line | undefined): string => (line ?? []).map((piece) => piece.text).join('');
const LOOKS: readonly Look[] = LANGUAGES.map((language) => ({ ...DEFAULT_LOOK, messages: messagesFor(language) }));

const shardAt = (seconds: number, fields: Partial<ShardSnapshot> = {}): ShardSnapshot => {
  const fake = createFakeEngine({ startMs: START });
  fake.advance(seconds * 1000);
  fake.edit(0, fields);
  const [shard] = fake.engine.snapshot().shards;
  if (shard === undefined) throw new Error('no shard');
  return shard;
};

const Panel = ({ shard, width, height }: { shard: ShardSnapshot; width: number; height: number }): ReactElement => (
  <ShardPanel
    shard={shard}
    isSelected={false}
    width={width}
    height={height}
    nowMs={START + 40_000}
    takenAtMs={START + 40_000}
  />
);

test('a compact panel', () => {
  const drawn = renderToString(<Panel shard={shardAt(14)} width={80} height={6} />, { columns: 80 });
  expect(drawn.split('\n')).toEqual([
    '┌ shard-0 10.0.1.10:6379 ──────────────────────────────────── > full sync 30s ─┐',
    '│ ███████████░░░░░░░░░░░  50%  1.00M/2.00M keys    477 MiB/954 MiB  eta 10s    │',
    '│ 90.0k op/s  42.9 MiB/s  lag -                                           ▁▁▁▁ │',
    '│ conflict panic 0  events (off)  queued 0 B       refused 0                   │',
    '│                                                                              │',
    '└──────────────────────────────────────────────────────────────────────────────┘',
  ]);
});

test('a narrow panel keeps state and age in its title and moves the address inside', () => {
  const drawn = renderToString(<Panel shard={shardAt(40)} width={40} height={6} />, { columns: 40 });
  expect(drawn).toContain('= streaming 10s');
  expect(drawn).toContain('source 10.0.1.10:6379');
  for (const line of drawn.split('\n')) expect(cellWidth(line)).toBe(40);
});

test('a narrow panel never cuts the name of its shard, and gives a long reason two lines', () => {
  const shard = shardAt(40, {
    ...{ name: 'shard-12', paused: false, throttled: 'the configured limit of 2mb/s' },
    budget: { isFull: false, secondsToFull: 720, secondsToFullSync: 780 },
  });
  const drawn = renderToString(<Panel shard={shard} width={40} height={6} />, { columns: 40 }).split('\n');
  expect(drawn[0]).toBe('┌ shard-12 ── = streaming ~ throttled ─┐');
  expect(drawn.slice(3, 5)).toEqual([
    '│ why slowed down by the configured    │',
    '│     limit of 2mb/s                   │',
  ]);
});

test('a panel through ink-testing-library updates with its shard', () => {
  const { lastFrame, rerender, unmount } = render(<Panel shard={shardAt(14)} width={80} height={6} />);
  expect(lastFrame()).toContain('> full sync');
  rerender(<Panel shard={shardAt(14, { state: 'failed', lastError: 'no route' })} width={80} height={6} />);
  expect(lastFrame()).toContain('x FAILED');
  expect(lastFrame()).toContain('why no route');
  unmount();
});

test.each([
  [{ waitingFor: 'the diskless delay runs' }, 'the diskless delay runs'],
  [{ paused: true }, 'paused by you'],
  [{ throttled: 'target memory 91 %' }, 'slowed down by target memory 91 %'],
  [{ state: 'retrying', lastError: 'ECONNRESET', waitingFor: 'attempt 3 in 4 s' }, 'attempt 3 in 4 s: ECONNRESET'],
  [{ state: 'failed', lastError: 'WRONGPASS' }, 'WRONGPASS'],
] as const)('says why: %o', (fields, reason) => {
  for (const height of [5, 6, 12]) {
    expect(renderToString(<Panel shard={shardAt(40, fields)} width={80} height={height} />)).toContain(reason);
  }
});

test.each([
  [null, 'events ?'],
  ['', 'events (off)'],
  ['KEg$', 'events KEg$'],
])('keyspace notifications %j show as %s', (keyspaceEvents, shown) => {
  expect(renderToString(<Panel shard={shardAt(40, { keyspaceEvents })} width={80} height={6} />)).toContain(shown);
});

test('counts of conflicts and refused writes are seen even in a narrow panel', () => {
  const shard = shardAt(40, {
    conflictPolicy: 'rewrite',
    conflicts: { rewritten: 12, ignored: 3, alreadyThere: 2, dropped: 1 },
    errors: 1263,
  });
  const drawn = renderToString(<Panel shard={shard} width={42} height={6} />);
  expect(drawn).toContain('conflict rewrite 15');
  expect(drawn).toContain('refused 1.26k');
});

test.each(LANGUAGES)('panels of every state, width and height are exactly that size (%s)', (language) => {
  const look: Look = { ...DEFAULT_LOOK, messages: messagesFor(language) };
  const sizes = [40, 55, 76, 120].flatMap((width) =>
    [5, 6, 7, 9, 12, 17, 25].map((height) => [width, height] as const),
  );
  for (const [at, [width, height]] of sizes.entries()) {
    // Each state with some of the sizes, each size with some of the states: all with all is half a minute.
    for (const state of SHARD_STATES.filter((_, index) => index % 5 === at % 5)) {
      const shard = shardAt(40, { state, throttled: 'a rule', lastError: '错误'.repeat(60) });
      const drawn = renderToString(
        <LookContext value={look}>
          <Panel shard={shard} width={width} height={height} />
        </LookContext>,
        { columns: 200 },
      ).split('\n');
      expect(drawn).toHaveLength(height);
      for (const line of drawn) expect(cellWidth(line)).toBe(width);
    }
  }
});

test('the columns of the lines stand under their heads', () => {
  for (const look of LOOKS) {
    for (const width of [60, 80, 120, 200]) {
      const shard = shardAt(14);
      const names = nameWidth([shard]);
      const row = text(shardRow(shard, true, { width, names, takenAtMs: START }, look));
      const heads = text(rowHeads(width, names, look));
      expect(cellWidth(row)).toBeLessThanOrEqual(width);
      // The lag is not known yet: its dash ends where its head ends.
      const before = heads.slice(0, heads.indexOf(look.messages.label.lag) + look.messages.label.lag.length);
      const cells = [...row].flatMap((character) => (cellWidth(character) === 2 ? [character, ''] : [character]));
      expect(cells[cellWidth(before) - 1]).toBe('-');
    }
  }
});

test('the head says where from, where to, how far, how fast, how late', () => {
  const fake = createFakeEngine({ startMs: START });
  fake.advance(40_000);
  const drawn = renderToString(
    <Header snapshot={fake.engine.snapshot()} width={120} height={3} nowMs={START + 40_000} />,
    {
      columns: 120,
    },
  );
  expect(drawn).toContain('10.0.1.10:6379 → 10.9.4.20:6379');
  expect(drawn).toContain('cluster of 3, Redis 7.0.15 → cluster of 3, Valkey 8.1.1');
  expect(drawn).toContain('3/3 streaming');
  expect(drawn).toContain('mem 132 MiB');
  expect(drawn).toContain('100%');
  expect(drawn).toContain('lag  0.0s');
});

test('the head tells the age of its figures when the engine is silent', () => {
  const fake = createFakeEngine({ startMs: START });
  fake.advance(40_000);
  const lines = headerLines(fake.engine.snapshot(), { width: 100, height: 3, nowMs: START + 46_000 }, DEFAULT_LOOK);
  expect(text(lines[0])).toContain('no update for 6s');
});

test('help shows every key and every state, in both languages, at 80x24', () => {
  for (const look of LOOKS) {
    const pageAt = (top: number): string[] =>
      helpLines({ width: 80, height: 20, top }, '/var/log/redferry.log', look).map(text);
    const pages = Math.ceil(KEYMAP.length / 19);
    const help = Array.from({ length: pages }, (_, page) => pageAt(page * 19)).flat();
    for (const binding of KEYMAP) {
      const words = look.messages.keys[binding.id].help;
      expect(help.some((line) => line.includes(binding.shown) && line.includes(words))).toBe(true);
    }
    for (const state of SHARD_STATES) expect(help.join('\n')).toContain(look.messages.state[state]);
    expect(help.join('\n')).toContain('/var/log/redferry.log');
    for (const line of help) expect(cellWidth(line)).toBeLessThanOrEqual(80);
  }
});

test('every key of the footer has a short hint, and help and quit are never left out', () => {
  const fake = createFakeEngine({ startMs: START });
  fake.advance(40_000);
  const snapshot = fake.engine.snapshot();
  for (const look of LOOKS) {
    for (const id of FOOTER) expect(look.messages.keys[id].hint).toBeTruthy();
    const state = { snapshot, notices: [], conflicts: [], ui: { ...INITIAL_UI, selected: 0 }, nowMs: START };
    for (const width of [40, 60, 80]) {
      const foot = text(footerLines(state, width, look).at(-1));
      expect(cellWidth(foot)).toBeLessThanOrEqual(width);
      expect(foot).toContain(`? ${look.messages.keys.help.hint}`);
      expect(foot).toContain(`q ${look.messages.keys.quit.hint}`);
    }
    // Nothing in the footer is hidden on the smallest common terminal.
    expect(text(footerLines(state, 80, look)[0]).match(/ {2}/g)).toHaveLength(7);
  }
});

test('the detail view has everything that the contract knows of a shard', () => {
  const shard = shardAt(40, { spoolBytes: 5_000_000, queued: 9_000_000, lastError: 'ECONNRESET at 12:00' });
  const frame = { width: 100, height: 30, nowMs: START + 40_000, takenAtMs: START + 40_000, look: DEFAULT_LOOK };
  const drawn = detailLines(shard, [], frame).map(text).join('\n');
  for (const part of [
    shard.address,
    shard.replid ?? '',
    '77,122,4',
    '10.9.4.20:6379  10.9.4.40:6379',
    '0-99',
    'diskless',
    '4.77 MiB on disk',
    'in flight',
    'panic, 0 rewritten, 0 ignored',
    'ECONNRESET at 12:00',
    'peak',
  ]) {
    expect(drawn).toContain(part);
  }
});

test('the languages have the same words: none is missing, none is empty', () => {
  const paths = (value: unknown, path = ''): string[] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => paths(inner, `${path}.${key}`))
      : [`${path}:${typeof value}:${value !== ''}`];
  const [first, ...others] = LANGUAGES.map((language) => paths(messagesFor(language)).sort());
  for (const other of others) expect(other).toEqual(first);
  expect(first?.every((path) => path.endsWith(':true'))).toBe(true);
});
