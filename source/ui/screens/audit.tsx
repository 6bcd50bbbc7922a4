// Every command of the run, from whichever screen or script; it stands still while the person reads.
import type { ReactElement } from 'react';
import { auditLines } from '../audit-lines.ts';
import { TextLines } from '../components/text-lines.tsx';
import type { Plan } from '../layout.ts';
import { useLook } from '../look.ts';
import type { ScreenState } from '../screen-model.ts';

export interface AuditProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
}

/** The audit view. */
export const Audit = ({ state, plan, width }: AuditProps): ReactElement => {
  const look = useLook();
  const height = plan.bodyHeight + plan.noticeHeight;
  const lines = auditLines(state.snapshot.audit, { width, height, end: state.ui.logEnd, look });
  return <TextLines lines={lines} height={height} />;
};
