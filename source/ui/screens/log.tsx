// The notices of the run; they stand still while the person reads.
import type { ReactElement } from 'react';
import { TextLines } from '../components/text-lines.tsx';
import type { Plan } from '../layout.ts';
import { logLines } from '../log-lines.ts';
import { useLook } from '../look.ts';
import type { ScreenState } from '../screen-model.ts';

export interface LogProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
  readonly logFile: string | null;
}

/** The log view. */
export const Log = ({ state, plan, width, logFile }: LogProps): ReactElement => {
  const look = useLook();
  const height = plan.bodyHeight + plan.noticeHeight;
  const lines = logLines(state.notices, { width, height, end: state.ui.logEnd, logFile, look });
  return <TextLines lines={lines} height={height} />;
};
