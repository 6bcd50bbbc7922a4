// Who gets which lines of the terminal. Pure: the same function serves the drawing and the keys, which must agree on how
// many panels stand side by side. No plan is ever taller than the terminal: Ink rewrites such a frame whole each time.
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { severity } from './state-look.ts';
import type { UiState } from './ui-state.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface PanelGrid {
  readonly columns: number;
  readonly width: number;
  readonly height: number;
}

export interface Plan {
  /** `status` is one line, and the foot under it where there is room; `lines` one line a shard. */
  readonly mode: 'panels' | 'lines' | 'status';
  readonly headerHeight: number;
  readonly bodyHeight: number;
  readonly noticeHeight: number;
  readonly footerHeight: number;
  /** Set in `panels` mode. */
  readonly grid: PanelGrid;
}

/** Below these there is room for lines only, and for one line only. */
const LINES_BELOW: Size = { columns: 60, rows: 16 };
const STATUS_BELOW: Size = { columns: 40, rows: 10 };

/** A panel: narrowest, shortest (three lines and a border), tallest that still has something to say. */
const PANEL_WIDTH_MIN = 40;
const PANEL_HEIGHT_MIN = 5;
const PANEL_HEIGHT_MAX = 25;
/** From this height on a panel has its reason line; the width that reads best. */
const PANEL_HEIGHT_GOOD = 6;
const PANEL_WIDTH_GOOD = 76;
/** Below this a panel's title has no room for the address. */
const PANEL_WIDTH_TIGHT = 56;

/** Most lines for notices under the panels. */
const NOTICES_MOST = 12;

const NO_GRID: PanelGrid = { columns: 1, width: 0, height: 0 };

const isBelow = (size: Size, limit: Size): boolean => size.columns < limit.columns || size.rows < limit.rows;

/** How much a grid lacks: the reason line counts most, then the room for an address, then a good width. */
const gridCost = (grid: PanelGrid): number =>
  (grid.height < PANEL_HEIGHT_GOOD ? 1000 : 0) +
  (grid.width < PANEL_WIDTH_TIGHT ? 500 : 0) +
  Math.abs(grid.width - PANEL_WIDTH_GOOD);

/** The grid in which all panels fit, or null. Prefers panels with all their lines, then a width that reads well. */
export const panelGrid = (shards: number, width: number, height: number): PanelGrid | null => {
  let best: PanelGrid | null = null;
  for (let columns = 1; columns <= Math.max(1, shards); columns += 1) {
    const grid: PanelGrid = {
      columns,
      width: Math.floor(width / columns),
      height: Math.min(PANEL_HEIGHT_MAX, Math.floor(height / Math.ceil(Math.max(1, shards) / columns))),
    };
    if (columns > 1 && grid.width < PANEL_WIDTH_MIN) break;
    if (grid.height >= PANEL_HEIGHT_MIN && (best === null || gridCost(grid) < gridCost(best))) best = grid;
  }
  return best;
};

const headerHeight = ({ rows }: Size): number => (rows < 16 ? 1 : rows < 20 ? 2 : 3);

/** Plans the overview: head, panels or lines, newest notices, foot. */
export const planOverview = (shards: number, ui: UiState, size: Size, footerHeight: number): Plan => {
  if (isBelow(size, STATUS_BELOW)) {
    const foot = Math.min(footerHeight, Math.max(0, size.rows - 1));
    return { mode: 'status', headerHeight: 1, bodyHeight: 0, noticeHeight: 0, footerHeight: foot, grid: NO_GRID };
  }
  const head = headerHeight(size);
  const room = size.rows - head - footerHeight;
  if (ui.layout === 'panels' && !isBelow(size, LINES_BELOW)) {
    // A tall terminal keeps a fifth for notices, if the panels lose nothing by it.
    const wanted = Math.min(NOTICES_MOST, Math.floor(room / 5));
    const whole = panelGrid(shards, size.columns, room);
    const shared = panelGrid(shards, size.columns, room - wanted);
    const isFree = shared !== null && whole !== null && gridCost(shared) <= gridCost(whole);
    const grid = isFree ? shared : whole;
    if (grid !== null) {
      const bodyHeight = grid.height * Math.ceil(Math.max(1, shards) / grid.columns);
      const noticeHeight = Math.max(0, room - bodyHeight);
      return { mode: 'panels', headerHeight: head, bodyHeight, noticeHeight, footerHeight, grid };
    }
  }
  // One line a shard and one for the heads; what is left goes to the notices, but not where it would hide shards.
  const noticeHeight = Math.max(0, room - Math.max(shards, 1) - 1);
  return {
    mode: 'lines',
    headerHeight: head,
    bodyHeight: room - noticeHeight,
    noticeHeight,
    footerHeight,
    grid: NO_GRID,
  };
};

/** The shards in the order in which they are shown. */
export const orderShards = (shards: readonly ShardSnapshot[], sort: UiState['sort']): readonly ShardSnapshot[] =>
  sort === 'shard' ? shards : [...shards].sort((a, b) => severity(b) - severity(a) || a.id - b.id);

/** The part of a list of `count` that shows in `height` lines with `selected` in sight. */
export const visibleRange = (count: number, height: number, selected: number): { from: number; to: number } => {
  const last = Math.max(0, count - height);
  const from = Math.min(last, Math.max(0, selected - Math.floor(height / 2)));
  return { from, to: Math.min(count, from + height) };
};
