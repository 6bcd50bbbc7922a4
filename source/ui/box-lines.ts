// The lines of a question's box, and which of them go where the terminal is too small for all. Pure.
import type { Line } from './cells.ts';

export interface BoxLines {
  /** What is asked, and what comes of it. */
  readonly about: readonly Line[];
  /** How it is answered. */
  readonly answers: readonly Line[];
}

/** At most `room` lines: the blank one goes first, then the end of what it is about. Who can not answer is stuck. */
export const fitBox = ({ about, answers }: BoxLines, room: number): readonly Line[] => {
  const gap: readonly Line[] = about.length + answers.length < room ? [[]] : [];
  // The first line says what is asked.
  const kept = about.slice(0, Math.max(1, room - answers.length));
  return [...kept, ...gap, ...answers].slice(0, Math.max(1, room));
};
