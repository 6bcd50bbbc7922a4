// All faults by their names, which scenarios, plans and logs use.
import type { Fault } from './fault.ts';
import { failover, failoverBehind, failoverDeath, failoverFrozen } from './fault-failovers.ts';
import { dropReplicas, fillMemory, overrunBacklog } from './fault-limits.ts';
import { cutInside, cutLink, halfOpenLink, lateLink, noRoute, stallLink } from './fault-links.ts';
import {
  engineFreeze,
  engineKill,
  freezeServer,
  restartBehind,
  restartEmpty,
  restartOlder,
} from './fault-processes.ts';
import { clusterDown, reshard } from './fault-slots.ts';

export const FAULTS = {
  'engine-kill': engineKill,
  'engine-freeze': engineFreeze,
  'source-cut': cutLink('source'),
  'source-cut-inside': cutInside('source'),
  'source-stall': stallLink('source'),
  'source-late': lateLink('source'),
  'source-half-open': halfOpenLink('source'),
  'source-no-route': noRoute('source'),
  'source-freeze': freezeServer('source'),
  'source-drops-replicas': dropReplicas,
  'source-backlog-overrun': overrunBacklog,
  'source-failover': failover('source'),
  'source-failover-death': failoverDeath('source'),
  'source-failover-behind': failoverBehind('source'),
  'source-failover-frozen': failoverFrozen('source'),
  'source-reshard': reshard('source'),
  'target-cut': cutLink('target'),
  'target-cut-inside': cutInside('target'),
  'target-stall': stallLink('target'),
  'target-late': lateLink('target'),
  'target-half-open': halfOpenLink('target'),
  'target-no-route': noRoute('target'),
  'target-freeze': freezeServer('target'),
  'target-restart-older': restartOlder,
  'target-restart-behind': restartBehind,
  'target-restart-empty': restartEmpty,
  'target-full': fillMemory,
  'target-failover': failover('target'),
  'target-failover-death': failoverDeath('target'),
  'target-failover-behind': failoverBehind('target'),
  'target-failover-frozen': failoverFrozen('target'),
  'target-reshard': reshard('target'),
  'target-cluster-down': clusterDown('target'),
} as const satisfies Readonly<Record<string, Fault>>;

export type FaultName = keyof typeof FAULTS;

export function faultNamed(name: FaultName): Fault {
  return FAULTS[name];
}
