// A block of lines of a known height: what is missing is blank, what is too much is not shown.
import { Box } from 'ink';
import type { ReactElement } from 'react';
import type { Line } from '../cells.ts';
import { TextLine } from './text-line.tsx';

export interface TextLinesProps {
  readonly lines: readonly Line[];
  readonly height: number;
}

/** Exactly `height` lines. */
export const TextLines = ({ lines, height }: TextLinesProps): ReactElement => (
  <Box flexDirection="column" height={height} flexShrink={0} overflow="hidden">
    {lines.slice(0, height).map((line, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: a line of the screen is its place
      <TextLine key={index} line={line} />
    ))}
  </Box>
);
