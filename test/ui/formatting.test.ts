// The pure parts: widths, figures, charts, layouts, the reducer, the totals.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Notice } from '../../source/engine/contract/notice.ts';
import { cellWidth, padLeft, padRight, printable, truncate, wrap } from '../../source/ui/cell-width.ts';
import { cell, fitCells, lineWidth, segment, spread } from '../../source/ui/cells.ts';
import {
  formatAge,
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatLag,
  formatPercent,
} from '../../source/ui/format.ts';
import { ASCII_GLYPHS, UNICODE_GLYPHS, unicodeWanted } from '../../source/ui/glyphs.ts';
import { panelGrid, planOverview, visibleRange } from '../../source/ui/layout.ts';
import { scrollLog } from '../../source/ui/log-scroll.ts';
import { buckets, chart, progressBar, scaleTop, sparkline } from '../../source/ui/sparkline.ts';
import { colorWanted, themeFor } from '../../source/ui/theme.ts';
import { totalsOf } from '../../source/ui/totals.ts';
import { changeUi, INITIAL_UI } from '../../source/ui/ui-state.ts';
import { createFakeEngine } from '../support/fake-engine.ts';

const foreign = fc.string({ unit: 'grapheme', maxLength: 60 });

test('padding and cutting give exactly the width, whatever the text', () => {
  fc.assert(
    fc.property(foreign, fc.integer({ min: 0, max: 40 }), (raw, width) => {
      const text = printable(raw);
      expect(cellWidth(padRight(text, width))).toBe(width);
      expect(cellWidth(padLeft(text, width))).toBe(width);
      expect(cellWidth(truncate(text, width))).toBeLessThanOrEqual(width);
    }),
  );
});

test('wrapping loses nothing but the spaces and never exceeds the width', () => {
  fc.assert(
    fc.property(foreign, fc.integer({ min: 10, max: 40 }), (raw, width) => {
      const text = printable(raw);
      const lines = wrap(text, width);
      expect(lines.join('').replaceAll(' ', '')).toBe(text.replaceAll(' ', ''));
      for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(width);
    }),
  );
});

test('printable text has no control characters and no direction marks', () => {
  expect(printable('a\x1b[31m\r\nb\u202ec\u0085')).toBe('a\\x1b[31m b\\x202ec\\x85');
  expect(printable('密码')).toBe('密码');
});

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1.00k'],
  [41_700, '41.7k'],
  [999_499, '999k'],
  [999_500, '1.00M'],
  [1_370_000_000, '1.37G'],
  [null, '-'],
])('count %s is %s', (value, shown) => {
  expect(formatCount(value)).toBe(shown);
});

test('figures keep to their greatest width', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e15, noNaN: true }), (value) => {
      expect(formatCount(value).length).toBeLessThanOrEqual(5);
      expect(formatBytes(value).length).toBeLessThanOrEqual(8);
      expect(formatByteRate(value).length).toBeLessThanOrEqual(10);
      expect(formatDuration(value / 1e8).length).toBeLessThanOrEqual(7);
      expect(formatLag(value / 1e9).length).toBeLessThanOrEqual(6);
    }),
  );
});

test('durations are coarser the longer they are, ages still more so', () => {
  expect([0, 59, 61, 599, 600, 3600, 11_100, 187_200].map(formatDuration)).toEqual([
    '0s',
    '59s',
    '1m01s',
    '9m59s',
    '10m',
    '1h00m',
    '3h05m',
    '2d04h',
  ]);
  expect([3, 14, 59, 61, 125, 4000].map(formatAge)).toEqual(['3s', '10s', '50s', '1m', '2m', '1h06m']);
  expect([0.04, 0.26, 9.9, 12, null].map(formatLag)).toEqual(['0.0s', '0.3s', '9.9s', '12s', '-']);
});

test('100 % is said only when all is done', () => {
  expect([0, 0.999_999, 1, null].map(formatPercent)).toEqual(['0%', '99%', '100%', '-']);
});

test('cells of the highest rank go first, and the line never exceeds its width', () => {
  const cells = [cell(0, 'first'), cell(2, 'second'), cell(1, 'third')];
  expect(
    fitCells(cells, 40)
      .map((piece) => piece.text)
      .join(''),
  ).toBe('first  second  third');
  expect(
    fitCells(cells, 14)
      .map((piece) => piece.text)
      .join(''),
  ).toBe('first  third');
  expect(
    fitCells(cells, 3)
      .map((piece) => piece.text)
      .join(''),
  ).toBe('f..');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(foreign, fc.nat(5)), { maxLength: 6 }),
      fc.integer({ min: 1, max: 80 }),
      (parts, width) => {
        const line = fitCells(
          parts.map(([text, rank]) => cell(rank, printable(text))),
          width,
        );
        expect(lineWidth(line)).toBeLessThanOrEqual(width);
      },
    ),
  );
});

test('the two ends of a line fill it exactly', () => {
  fc.assert(
    fc.property(foreign, foreign, fc.integer({ min: 2, max: 60 }), (left, right, width) => {
      expect(lineWidth(spread([segment(printable(left))], [segment(printable(right))], width))).toBe(width);
    }),
  );
});

test('bars are as wide as asked, and full only when all is done', () => {
  for (const glyphs of [UNICODE_GLYPHS, ASCII_GLYPHS]) {
    for (const share of [null, 0, 0.5, 0.999, 1]) expect(progressBar(share, 12, glyphs)).toHaveLength(12);
    expect(progressBar(0.999, 12, glyphs)).toContain(glyphs.barEmpty);
    expect(progressBar(1, 12, glyphs)).not.toContain(glyphs.barEmpty);
  }
});

test('bucket borders stand still: a new second changes only the newest bucket', () => {
  const samples = Array.from({ length: 100 }, (_, second) => second);
  const frame = { width: 30, endMs: 102_000 };
  const before = buckets(samples, frame);
  const after = buckets([...samples.slice(1), 100], { ...frame, endMs: 103_000 });
  expect(after.slice(-10, -1)).toEqual(before.slice(-10, -1));
  expect(after.at(-1)).toBe(100);
  expect(buckets([], frame)).toEqual(new Array(30).fill(null));
  expect(buckets([5], { ...frame, bucketSeconds: 1 }).at(-1)).toBe(5);
});

test('charts are as large as asked; zero is lowest, nothing is blank', () => {
  const drawn = chart([0, 0, 10, 5], { width: 6, rows: 2, endMs: 0, bucketSeconds: 1 }, UNICODE_GLYPHS);
  expect(drawn).toEqual(['    █ ', '  ▁▁██']);
  expect(sparkline([], 5, 0, ASCII_GLYPHS)).toBe('     ');
  expect([0, 1, 3, 7, 10, 11, 4999].map(scaleTop)).toEqual([1, 1, 3, 8, 10, 15, 5000]);
});

test('no layout is taller than the terminal or hides a shard that fits', () => {
  const shards = fc.integer({ min: 0, max: 200 });
  const columns = fc.integer({ min: 20, max: 400 });
  const rows = fc.integer({ min: 4, max: 120 });
  fc.assert(
    fc.property(
      shards,
      columns,
      rows,
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      (count, width, height, foot, isLines) => {
        const ui = { ...INITIAL_UI, layout: isLines ? ('lines' as const) : ('panels' as const) };
        const plan = planOverview(count, ui, { columns: width, rows: height }, foot);
        expect(plan.headerHeight + plan.bodyHeight + plan.noticeHeight + plan.footerHeight).toBeLessThanOrEqual(height);
        expect(plan.grid.columns * plan.grid.width).toBeLessThanOrEqual(width);
        if (plan.mode === 'panels' && count > 0) {
          expect(Math.floor(plan.bodyHeight / plan.grid.height) * plan.grid.columns).toBeGreaterThanOrEqual(count);
        }
      },
    ),
  );
  expect(panelGrid(3, 80, 20)).toEqual({ columns: 1, width: 80, height: 6 });
  expect(panelGrid(40, 80, 20)).toBeNull();
});

test('the selected line is always in sight', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99 }), fc.integer({ min: 1, max: 30 }), fc.nat(98), (count, height, at) => {
      const selected = Math.min(at, count - 1);
      const { from, to } = visibleRange(count, height, selected);
      expect(from).toBeLessThanOrEqual(selected);
      expect(to).toBeGreaterThan(selected);
      expect(to - from).toBe(Math.min(count, height));
    }),
  );
});

test('the log scrolls by notices and knows its ends', () => {
  const notices = Array.from(
    { length: 50 },
    (_, id): Notice => ({ id: id + 7, timeMs: 0, level: 'info', shard: null, message: '' }),
  );
  expect(scrollLog(notices, null, -1, 10)).toBe(55);
  expect(scrollLog(notices, 55, 1, 10)).toBeNull();
  expect(scrollLog(notices, null, -1000, 10)).toBe(16);
  expect(scrollLog(notices, 16, -1, 10)).toBe(16);
  expect(scrollLog([], null, -1, 10)).toBeNull();
});

test('the look follows the environment', () => {
  expect(colorWanted({})).toBe(true);
  expect(colorWanted({ NO_COLOR: '' })).toBe(true);
  expect(colorWanted({ NO_COLOR: '1' })).toBe(false);
  for (const style of Object.values(themeFor(false))) expect(style.color).toBeUndefined();
  expect(unicodeWanted({ LANG: 'de_DE.UTF-8' })).toBe(true);
  expect(unicodeWanted({ LANG: 'C.utf8' })).toBe(true);
  expect(unicodeWanted({ LANG: 'en_US.UTF-8', LC_ALL: 'C' })).toBe(false);
  expect(unicodeWanted({ LANG: 'C' })).toBe(false);
  expect(unicodeWanted({})).toBe(false);
  expect(unicodeWanted({ LANG: 'en_US.UTF-8', TERM: 'linux' })).toBe(false);
});

test('escape closes the topmost thing only', () => {
  let ui = changeUi(INITIAL_UI, { type: 'show', screen: 'detail' });
  ui = changeUi(ui, { type: 'toggle-help' });
  ui = changeUi(ui, { type: 'ask', dialog: 'stop' });
  ui = changeUi(ui, { type: 'close' });
  expect(ui).toMatchObject({ dialog: null, help: true, screen: 'detail' });
  ui = changeUi(ui, { type: 'close' });
  expect(ui).toMatchObject({ help: false, screen: 'detail' });
  ui = changeUi(ui, { type: 'close' });
  expect(ui.screen).toBe('overview');
});

test('totals: unknown parts make the whole unknown, the worst lag has a name', () => {
  const fake = createFakeEngine({ startMs: 0 });
  fake.advance(14_000);
  expect(totalsOf(fake.engine.snapshot())).toMatchObject({ shards: 3, following: 0, lagSeconds: null });
  fake.edit(1, { keys: { done: 5, total: null }, bytes: { done: 0, total: null }, etaSeconds: null });
  expect(totalsOf(fake.engine.snapshot())).toMatchObject({ keys: { total: null }, etaSeconds: null });
  fake.advance(30_000);
  fake.edit(2, { lagSeconds: 7, lagBytes: 100 });
  expect(totalsOf(fake.engine.snapshot())).toMatchObject({
    following: 3,
    share: 1,
    lagShard: 'shard-2',
    lagSeconds: 7,
  });
  expect(totalsOf({ ...fake.engine.snapshot(), shards: [] })).toMatchObject({ shards: 0, share: null, lagBytes: null });
});
