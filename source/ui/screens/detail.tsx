// One shard with everything that is known of it.
import type { ReactElement } from 'react';
import { segment } from '../cells.ts';
import { TextLines } from '../components/text-lines.tsx';
import { detailLines } from '../detail-lines.ts';
import type { Plan } from '../layout.ts';
import { useLook } from '../look.ts';
import { type ScreenState, selectedShard } from '../screen-model.ts';

export interface DetailProps {
  readonly state: ScreenState;
  readonly plan: Plan;
  readonly width: number;
}

/** The detail view of the selected shard. */
export const Detail = ({ state, plan, width }: DetailProps): ReactElement => {
  const look = useLook();
  const height = plan.bodyHeight + plan.noticeHeight;
  const { snapshot, notices, nowMs } = state;
  const shard = selectedShard(state);
  if (shard === undefined) {
    return <TextLines lines={[[], [segment(` ${look.messages.noShards}`, 'dim')]]} height={height} />;
  }
  const frame = { width, height, nowMs, takenAtMs: snapshot.takenAtMs, look };
  return <TextLines lines={detailLines(shard, notices, frame)} height={height} />;
};
