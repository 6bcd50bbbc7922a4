// The way of the stream's commands to a server target: mapped to its databases, past the keys that were kept, noted where a
// key was there before, with expiries held, and then routed.
import { CommandTable } from '../../protocol/command-table.ts';
import type { ExpiryHold } from '../../protocol/held-expiry.ts';
import type { DatabaseMap } from '../../transforms/database-map.ts';
import { MappedCommands } from '../../transforms/mapped-commands.ts';
import type { KeptKeys } from '../../writers/kept-keys.ts';
import { StreamRouter } from '../../writers/stream-router.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { ServerDestination, ShardJob } from '../run/shard-job.ts';
import type { CommandTaker, TargetHost } from '../shard/shard-target.ts';
import { HeldCommands } from './held-commands.ts';
import { KeptCommands } from './kept-commands.ts';
import type { KeysBefore } from './keys-before.ts';
import { NotedCommands } from './noted-commands.ts';

export interface TargetCommandsParts {
  readonly job: ShardJob;
  readonly destination: ServerDestination;
  readonly nodes: TargetNodes;
  readonly hold: ExpiryHold;
  readonly kept: KeptKeys;
  /** Of a target that was not empty. */
  readonly before: KeysBefore | null;
  readonly databases: DatabaseMap;
  readonly host: TargetHost;
  /** To every node, behind the barrier. */
  readonly broadcast: (args: readonly Buffer[]) => void;
}

/** The end of the way, and its beginning. */
export interface TargetCommands {
  readonly router: StreamRouter;
  readonly commands: CommandTaker;
}

export function makeTargetCommands(parts: TargetCommandsParts): TargetCommands {
  const { databases, host } = parts;
  const router = makeRouter(parts);
  const commands = pastKept(parts, noted(parts, new HeldCommands(router, parts.hold)));
  if (databases.isIdentity) return { router, commands };
  return {
    router,
    commands: new MappedCommands(commands, databases, (args, reason) => host.refused(0, args, reason)),
  };
}

/** What goes to a key that was kept is not for this target. */
function pastKept({ job, destination, kept, host }: TargetCommandsParts, inner: CommandTaker): CommandTaker {
  const { flush, swapdb } = job.keyless;
  const rules = {
    flush: flush === 'forward',
    swapdb: swapdb === 'forward',
    makeTable: () => makeTable(destination),
  };
  return new KeptCommands(inner, kept, rules, {
    get offset() {
      return host.offset;
    },
    dropped: () => host.conflicts.dropped(),
    refused: (database, args, reason) => host.refused(database, args, reason),
  });
}

function noted({ job, destination, before }: TargetCommandsParts, inner: CommandTaker): CommandTaker {
  if (before === null) return inner;
  return new NotedCommands(inner, before, makeTable(destination), job.keyless.swapdb === 'forward');
}

function makeRouter({ job, destination, nodes, host, broadcast }: TargetCommandsParts): StreamRouter {
  const { keyless, limits, origin } = job;
  return new StreamRouter(
    nodes,
    makeTable(destination),
    {
      get offset() {
        return host.offset;
      },
      get earliestOffset() {
        return host.offsetAt(host.historyStart);
      },
      get position() {
        return host.position;
      },
      refused: (database, args, reason) => host.refused(database, args, reason),
      ignored: (name) => host.once('info', `${name} from the source is not applied, as the settings say.`),
      broadcast,
      notAtomic: (reason) =>
        host.once(
          'warn',
          `A transaction of the source was applied command by command, since ${reason}; said once for this shard.`,
        ),
    },
    { keyless, sourceIsCluster: origin.kind === 'server' && origin.shards > 1, transactionBytes: limits.transaction },
  );
}

function makeTable({ commands }: ServerDestination): CommandTable {
  const table = new CommandTable();
  if (commands !== null) table.addFromServer(commands);
  return table;
}
