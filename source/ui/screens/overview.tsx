// All shards: panels where they fit, one line each otherwise, and the newest notices below them.
import { Box } from 'ink';
import type { ReactElement } from 'react';
import type { ShardSnapshot } from '../../engine/contract/shard-snapshot.ts';
import { type Line, segment, spread } from '../cells.ts';
import { ShardPanel } from '../components/shard-panel.tsx';
import { TextLines } from '../components/text-lines.tsx';
import { orderShards, type Plan, visibleRange } from '../layout.ts';
import { useLook } from '../look.ts';
import { noticeStrip } from '../notice-lines.ts';
import type { ScreenState } from '../screen-model.ts';
import { nameWidth, rowHeads, shardRow } from '../shard-row.ts';

export interface OverviewProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
}

interface ShardsProps extends OverviewProps {
  readonly shards: readonly ShardSnapshot[];
}

/** The panels, row by row. */
const Panels = ({ state, plan, shards }: ShardsProps): ReactElement => {
  const { grid } = plan;
  const rows: (readonly ShardSnapshot[])[] = [];
  for (let at = 0; at < shards.length; at += grid.columns) rows.push(shards.slice(at, at + grid.columns));
  return (
    <Box flexDirection="column" height={plan.bodyHeight} flexShrink={0}>
      {rows.map((row) => (
        <Box key={row[0]?.id} height={grid.height} flexShrink={0}>
          {row.map((shard) => (
            <ShardPanel
              key={shard.id}
              shard={shard}
              isSelected={shard.id === state.ui.selected}
              width={grid.width}
              height={grid.height}
              nowMs={state.nowMs}
              takenAtMs={state.snapshot.takenAtMs}
            />
          ))}
        </Box>
      ))}
    </Box>
  );
};

/** One line a shard, with what lies outside the window counted in the heads. */
const Rows = ({ state, plan, shards, width }: ShardsProps): ReactElement => {
  const look = useLook();
  const { messages, glyphs } = look;
  const names = nameWidth(shards);
  const selectedAt = shards.findIndex((shard) => shard.id === state.ui.selected);
  const { from, to } = visibleRange(shards.length, plan.bodyHeight - 1, selectedAt);
  const hidden: string[] = [];
  if (from > 0) hidden.push(`${glyphs.above} ${messages.moreAbove(from)}`);
  if (to < shards.length) hidden.push(`${glyphs.below} ${messages.moreBelow(shards.length - to)}`);
  const columns = rowHeads(width, names, look);
  const heads: Line =
    hidden.length === 0 ? columns : spread(columns, [segment(`${hidden.join('  ')} `, 'warn')], width);
  const frame = { width, names, takenAtMs: state.snapshot.takenAtMs };
  const rows = shards.slice(from, to).map((shard) => shardRow(shard, shard.id === state.ui.selected, frame, look));
  return <TextLines lines={[heads, ...rows]} height={plan.bodyHeight} />;
};

/** The screen that is open at the start. */
export const Overview = ({ state, plan, width }: OverviewProps): ReactElement => {
  const look = useLook();
  const shards = orderShards(state.snapshot.shards, state.ui.sort);
  const Shards = plan.mode === 'panels' ? Panels : Rows;
  return (
    <>
      {shards.length === 0 ? (
        <TextLines lines={[[], [segment(` ${look.messages.noShards}`, 'dim')]]} height={plan.bodyHeight} />
      ) : (
        <Shards state={state} plan={plan} shards={shards} width={width} />
      )}
      <TextLines lines={noticeStrip(state.notices, width, plan.noticeHeight, look)} height={plan.noticeHeight} />
    </>
  );
};
