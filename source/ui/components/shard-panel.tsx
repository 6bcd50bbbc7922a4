// The bordered panel of one shard. The upper border is a line of our own, because Ink's boxes have no titles.
import { Box } from 'ink';
import { memo, type ReactElement } from 'react';
import type { ShardSnapshot } from '../../engine/contract/shard-snapshot.ts';
import { type Line, segment, spread } from '../cells.ts';
import { useLook } from '../look.ts';
import { panelLines, panelTitle } from '../panel-lines.ts';
import type { Tone } from '../theme.ts';
import { TextLine } from './text-line.tsx';
import { TextLines } from './text-lines.tsx';

export interface ShardPanelProps {
  readonly shard: ShardSnapshot;
  readonly isSelected: boolean;
  /** Outer size, border included. */
  readonly width: number;
  readonly height: number;
  readonly nowMs: number;
  /** When the histories end. */
  readonly takenAtMs: number;
}

/** The border says at a glance which panel needs a look. */
const borderTone = (shard: ShardSnapshot, isSelected: boolean): Tone => {
  if (shard.state === 'failed') return 'bad';
  if (shard.state === 'retrying') return 'attention';
  return isSelected ? 'selected' : 'dim';
};

const Panel = ({ shard, isSelected, width, height, nowMs, takenAtMs }: ShardPanelProps): ReactElement => {
  const look = useLook();
  const tone = borderTone(shard, isSelected);
  const style = look.theme[tone];
  const border = isSelected ? look.glyphs.selectedBorder : look.glyphs.border;
  const inner = { width: width - 4, height: height - 2, nowMs, takenAtMs, look };
  const [left, right] = panelTitle(shard, isSelected, inner);
  const title: Line = [
    segment(border.topLeft, tone),
    ...spread(left, right, width - 3, segment(border.top, tone)),
    segment(border.top + border.topRight, tone),
  ];
  return (
    <Box flexDirection="column" width={width} height={height} flexShrink={0}>
      <TextLine line={title} />
      <Box
        borderStyle={border}
        borderTop={false}
        {...(style.color === undefined ? {} : { borderColor: style.color })}
        borderDimColor={style.dimColor ?? false}
        paddingX={1}
        width={width}
        height={height - 1}
      >
        <TextLines lines={panelLines(shard, inner)} height={inner.height} />
      </Box>
    </Box>
  );
};

export const ShardPanel = memo(Panel);
