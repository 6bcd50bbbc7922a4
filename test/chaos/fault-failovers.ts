// Failovers of a cluster's masters: in order, after a death, after a freeze, and to a replica that had fallen behind, so
// that writes which the old master had acknowledged are gone.
import { setTimeout as delay } from 'node:timers/promises';
import { ReplyError } from '../../source/validation/resp-reader.ts';
import { waitFor } from '../support/wait.ts';
import { ask, askAll, info } from './ask.ts';
import { type Fault, type FaultContext, NOTHING_TO_REPAIR } from './fault.ts';
import { crashServer, forgetSnapshot } from './fault-processes.ts';
import type { SideNode } from './side.ts';

type SideName = 'source' | 'target';

const PROMOTE_MS = 15_000;
/** No master of ours has a password, so whoever sends one is turned away: a replica that cannot come back. */
const KEEPS_AWAY = 'kept-away';

/** The replica catches up first and the master steps back: nothing is lost. */
export const failover = (side: SideName): Fault => ({
  needs: 'replicas',
  side,
  holdMs: [0, 500],
  weight: 2,
  async inject(context) {
    const replica = await chosen(context, side);
    // Refused while an election is under way.
    await waitFor(() => isTrue(ask(replica.server, 'CLUSTER', 'FAILOVER')), { what: 'CLUSTER FAILOVER' });
    await promoted(replica);
    await context[side].waitUntilWhole();
    return NOTHING_TO_REPAIR;
  },
});

/** The master dies and its replica takes over: by the others' votes, or by itself. */
export const failoverDeath = (side: SideName): Fault => ({
  needs: 'replicas',
  side,
  holdMs: [0, 2000],
  weight: 3,
  async inject(context) {
    const replica = await chosen(context, side);
    const master = await context[side].master(context.shard);
    const how = context.random.pick(['FORCE', 'TAKEOVER']);
    context.tell({ how, master: master.server.port });
    await crashServer(master);
    await takeOver(replica, how);
    return comesBack(context, side, master);
  },
});

/** The same with a replica that has missed the last writes, as in any failover of asynchronous replication. */
export const failoverBehind = (side: SideName): Fault => ({
  needs: 'replicas',
  side,
  holdMs: [0, 2000],
  weight: 3,
  async inject(context) {
    const replica = await chosen(context, side);
    const master = await context[side].master(context.shard);
    const behindMs = context.random.between(50, 1000);
    context.tell({ behindMs, master: master.server.port });
    await ask(replica.server, 'CONFIG', 'SET', 'masterauth', KEEPS_AWAY);
    try {
      await ask(replica.server, 'CLIENT', 'KILL', 'TYPE', 'master');
      await delay(behindMs);
      await crashServer(master);
      await takeOver(replica, 'TAKEOVER');
    } finally {
      await ask(replica.server, 'CONFIG', 'SET', 'masterauth', '');
    }
    return comesBack(context, side, master);
  },
});

/** The old master does not know, and has writes in its socket buffers when it wakes up. */
export const failoverFrozen = (side: SideName): Fault => ({
  needs: 'replicas',
  side,
  holdMs: [0, 2000],
  weight: 2,
  async inject(context) {
    const replica = await chosen(context, side);
    const master = await context[side].master(context.shard);
    context.tell({ master: master.server.port });
    master.server.kill('SIGSTOP');
    await delay(context.random.between(0, 500));
    await takeOver(replica, 'TAKEOVER');
    return async () => {
      master.server.kill('SIGCONT');
      await context[side].waitUntilWhole();
    };
  },
});

async function chosen(context: FaultContext, side: SideName): Promise<SideNode> {
  const replica = await context[side].replica(context.shard);
  context.tell({ replica: replica.server.port });
  return replica;
}

async function takeOver(replica: SideNode, how: string): Promise<void> {
  await waitFor(
    async () => {
      const [reply] = await askAll(replica.server, [['CLUSTER', 'FAILOVER', how]]);
      // It may have won an election by itself meanwhile.
      return !(reply instanceof ReplyError) || (await isMaster(replica));
    },
    { what: `CLUSTER FAILOVER ${how}` },
  );
  await promoted(replica);
}

async function promoted(replica: SideNode): Promise<void> {
  await waitFor(() => isMaster(replica), {
    what: `port ${replica.server.port} to be a master`,
    deadlineMs: PROMOTE_MS,
  });
}

async function isMaster({ server }: SideNode): Promise<boolean> {
  return (await info(server, 'replication')).get('role') === 'master';
}

function comesBack(context: FaultContext, side: SideName, master: SideNode): () => Promise<void> {
  return async () => {
    forgetSnapshot(master);
    await master.server.restart();
    await context[side].waitUntilWhole();
  };
}

async function isTrue(work: Promise<unknown>): Promise<boolean> {
  await work;
  return true;
}
