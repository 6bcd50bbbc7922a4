// The recopier of a replicated shard: what of its feed it works with, and which keys of the target it may remove.

import { CommandTable } from '../../protocol/command-table.ts';
import type { NodeAddress } from '../../topology/endpoint.ts';
import type { ServerDestination, ServerOrigin, ShardJob } from '../run/shard-job.ts';
import type { FeedHost } from '../shard/shard-feed.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { openSparedKeys, tellsOwnKeys } from '../target/keys-before.ts';
import { lossSentence } from '../target/loss-sentences.ts';
import { Recopier } from './recopier.ts';
import type { DatabaseKey } from './watched-keys.ts';

/** The stream whose keys are copied again. */
export interface RecopiedStream {
  /** Where it comes from at present, and its history. */
  readonly source: { readonly address: NodeAddress; readonly replid: string | null };
  /** Replication offset of the last byte of the command that was read last. */
  handledOffset(): number;
  /** As far back as it can be read again. */
  historyOffset(): number;
}

/** Null where the target can not have keys copied again: a file. */
export function makeRecopier(
  job: ShardJob,
  { endpoint, version }: ServerOrigin,
  slots: OwnedSlots | null,
  { source, handledOffset, historyOffset }: RecopiedStream,
  host: FeedHost,
): Recopier | null {
  const { destination, limits } = job;
  if (destination.kind === 'file') return null;
  return new Recopier(
    {
      origin: { endpoint, version, cluster: slots !== null },
      slots,
      targetKeys: (ofSlots) => removableKeys(job, destination, ofSlots, host),
      target: destination.topology.version,
      makeTable: () => {
        const table = new CommandTable();
        if (destination.commands !== null) table.addFromServer(destination.commands);
        return table;
      },
      valueBytes: limits.valueInMemory,
    },
    {
      barrier: host.barrier,
      get offset() {
        return handledOffset();
      },
      get historyOffset() {
        return historyOffset();
      },
      get replaying() {
        return host.parts.target.replaying;
      },
      get address() {
        return source.address;
      },
      get replid() {
        return source.replid;
      },
      handedOver: () => host.parts.handedOver(),
      run: () => host.pump.run(),
      begun: () => host.outOfOrder(),
      refused: (database, args, reason) => host.refused(database, args, reason),
      once: (level, message) => host.once(level, message),
      lost: (loss) => host.once('warn', lossSentence(loss, destination.topology.version.text)),
    },
  );
}

/** On a target that held keys before, those that the source does not have are not this run's to remove. */
async function removableKeys(
  job: ShardJob,
  destination: ServerDestination,
  slots: ReadonlySet<number>,
  host: Pick<FeedHost, 'once'>,
): Promise<readonly DatabaseKey[]> {
  if (tellsOwnKeys(job)) {
    // Brings the client library into this thread, which most runs never need.
    const { targetKeysInSlots } = await import('./slot-keys.ts');
    const keys = await targetKeysInSlots(destination, slots);
    const spared = openSparedKeys(job);
    const removable = keys.filter(({ database, key }) => !spared.has(database, key));
    spared.close();
    return removable;
  }
  host.once(
    'warn',
    'Slots of the source have moved in a way that may have left deleted keys on the target, which held keys before this run: compare with redferry validate.',
  );
  return [];
}
