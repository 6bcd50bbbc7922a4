// The conflicts of the run and what became of them; they stand still while the person reads.
import type { ReactElement } from 'react';
import { conflictFile } from '../../engine/contract/conflict.ts';
import { TextLines } from '../components/text-lines.tsx';
import { conflictLines } from '../conflict-lines.ts';
import type { Plan } from '../layout.ts';
import { useLook } from '../look.ts';
import type { ScreenState } from '../screen-model.ts';

export interface ConflictsProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
  readonly logFile: string | null;
}

/** The view of conflicts. */
export const Conflicts = ({ state, plan, width, logFile }: ConflictsProps): ReactElement => {
  const look = useLook();
  const height = plan.bodyHeight + plan.noticeHeight;
  const { logEnd: end, search } = state.ui;
  const file = logFile === null ? null : conflictFile(logFile);
  const lines = conflictLines(state.conflicts, { width, height, end, search, file, look });
  return <TextLines lines={lines} height={height} />;
};
