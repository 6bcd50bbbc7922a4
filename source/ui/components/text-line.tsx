// One line of the screen: one <Text> for the whole line, because a box for each cell costs three times the layout work.
import { Text } from 'ink';
import type { ReactElement } from 'react';
import type { Line } from '../cells.ts';
import { useLook } from '../look.ts';

export interface TextLineProps {
  readonly line: Line;
}

/** Prints a line; what does not fit is cut, never wrapped, so that no frame grows taller than the terminal. */
export const TextLine = ({ line }: TextLineProps): ReactElement => {
  const { theme } = useLook();
  return (
    <Text wrap="truncate">
      {line.length === 0 ? ' ' : null}
      {line.map((piece, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a line have no identity but their place
        <Text key={index} {...theme[piece.tone]}>
          {piece.text}
        </Text>
      ))}
    </Text>
  );
};
