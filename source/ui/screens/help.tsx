// The help, in the place of the screen that was open.
import type { ReactElement } from 'react';
import { TextLines } from '../components/text-lines.tsx';
import { helpLines } from '../help-lines.ts';
import type { Plan } from '../layout.ts';
import { useLook } from '../look.ts';

export interface HelpProps {
  readonly top: number;
  readonly plan: Plan;
  readonly width: number;
  readonly logFile: string | null;
}

/** All keys and signs. */
export const Help = ({ top, plan, width, logFile }: HelpProps): ReactElement => {
  const look = useLook();
  const height = plan.bodyHeight + plan.noticeHeight;
  return <TextLines lines={helpLines({ width, height, top }, logFile, look)} height={height} />;
};
