// Comparisons of both sides: begun, steered, judged and repaired from here.
import type { ReactElement } from 'react';
import { TextLines } from '../components/text-lines.tsx';
import type { Plan } from '../layout.ts';
import { useLook } from '../look.ts';
import type { ScreenState } from '../screen-model.ts';
import { validationLines } from '../validation-lines.ts';

export interface ValidationViewProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
}

/** The validation view. */
export const ValidationView = ({ state, plan, width }: ValidationViewProps): ReactElement => {
  const look = useLook();
  const height = plan.bodyHeight + plan.noticeHeight;
  return <TextLines lines={validationLines(state, { width, height, look })} height={height} />;
};
