// The box of a question, laid over the middle of whatever screen is open. Its lines are filled with blanks, because what
// lies below would show through.
import { Box } from 'ink';
import type { ReactElement } from 'react';
import { targetName } from '../../engine/run/target-name.ts';
import { type BoxLines, fitBox } from '../box-lines.ts';
import { printable, wrap } from '../cell-width.ts';
import { type Line, padLine, segment } from '../cells.ts';
import { neededFor, QUESTIONS } from '../confirm.ts';
import { isMenu, menuLines } from '../conflict-menu.ts';
import type { Size } from '../layout.ts';
import { type Look, useLook } from '../look.ts';
import type { ScreenState } from '../screen-model.ts';
import type { DialogName, MenuName } from '../ui-state.ts';
import { TextLines } from './text-lines.tsx';

export interface DialogProps {
  readonly name: DialogName;
  readonly state: ScreenState;
  readonly size: Size;
}

const WIDTH_MAX = 76;

/** What is asked, what comes of a yes, and how it is said. */
const questionLines = (
  name: Exclude<DialogName, MenuName>,
  state: ScreenState,
  width: number,
  look: Look,
): BoxLines => {
  const { messages } = look;
  const question = QUESTIONS[name];
  const target = printable(targetName(state.snapshot.target.address));
  const needed = neededFor(name, state);
  const hint = needed === 'text' ? messages.dialog.typeText : messages.dialog.typeName(target);
  const answers: readonly Line[] =
    needed === 'yes'
      ? [[segment(messages.dialog.answers, 'key')]]
      : [
          ...wrap(hint, width).map((text): Line => [segment(text, 'key')]),
          [segment(`> ${printable(state.ui.typed)}_`, 'title')],
        ];
  return {
    about: [
      ...wrap(question.title(state, look), width).map((text): Line => [segment(text, 'title')]),
      ...wrap(question.effect(messages, state), width).map((text): Line => [segment(text)]),
    ],
    answers,
  };
};

/** Asks one question; the keys answer it, see confirm.ts. */
export const Dialog = ({ name, state, size }: DialogProps): ReactElement => {
  const look = useLook();
  const { theme, glyphs } = look;
  const width = Math.min(WIDTH_MAX, size.columns - 2);
  const inner = Math.max(10, width - 4);
  const box = isMenu(name) ? menuLines(name, state, inner, look) : questionLines(name, state, inner, look);
  const lines = fitBox(box, size.rows - 2);
  const height = lines.length + 2;
  return (
    <Box
      position="absolute"
      top={Math.max(0, Math.floor((size.rows - height) / 2))}
      left={Math.max(0, Math.floor((size.columns - width) / 2))}
      width={width}
      height={height}
      borderStyle={glyphs.selectedBorder}
      {...(theme.warn.color === undefined ? {} : { borderColor: theme.warn.color })}
    >
      <TextLines
        lines={lines.map((line) => [segment(' '), ...padLine(line, inner), segment(' ')])}
        height={lines.length}
      />
    </Box>
  );
};
