// The desk of conflicts as a server target needs it: whose versions it compares, how its questions are asked, who is told.
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { ServerDestination, ShardJob } from '../run/shard-job.ts';
import { NodeLinks } from '../target/node-links.ts';
import { ConflictDesk, type DeskHost } from './conflict-desk.ts';

export function makeConflictDesk(
  job: ShardJob,
  destination: ServerDestination,
  nodes: TargetNodes,
  host: DeskHost,
): ConflictDesk {
  const { product, major } = destination.topology.version;
  const options = {
    policy: job.conflictPolicy,
    asks: job.asksOnConflict,
    directory: job.limits.spoolDirectory,
    name: `redferry-conflicts-${job.name}`,
    dialect: product === 'Valkey' ? ('valkey' as const) : ('redis' as const),
    exactExpiry: major >= 7,
    showsExpired: destination.importMode,
  };
  return new ConflictDesk(new NodeLinks(job, destination, nodes, 'conflicts'), options, host);
}
