// Faults of processes: redferry and the servers killed with -9, frozen, started again with older data or none.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../support/wait.ts';
import { ask } from './ask.ts';
import type { EngineProcess } from './engine.ts';
import type { Fault, FaultContext, Repair } from './fault.ts';
import type { SideNode } from './side.ts';

/** Where a server writes the snapshot that it loads when it starts. */
const SNAPSHOT_FILE = 'dump.rdb';

export const engineKill: Fault = {
  needs: 'process',
  side: null,
  holdMs: [0, 1500],
  weight: 8,
  async inject({ engine }) {
    const program = programOf(engine.process);
    await program.crash();
    return async () => program.again();
  },
};

export const engineFreeze: Fault = {
  needs: 'process',
  side: null,
  holdMs: [200, 4000],
  weight: 2,
  async inject({ engine }) {
    const program = programOf(engine.process);
    program.signal('SIGSTOP');
    return async () => program.signal('SIGCONT');
  },
};

/** Shorter than the node timeout as well as longer: then a replica takes over by itself. */
export const freezeServer = (side: 'source' | 'target'): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [200, 5000],
  weight: 3,
  async inject(context) {
    const { server } = await context[side].master(context.shard);
    context.tell({ node: server.port });
    server.kill('SIGSTOP');
    return async () => {
      server.kill('SIGCONT');
      await context[side].waitUntilWhole();
    };
  },
});

/** Comes back with what it had some time before: an RDB, or an append-only file synced every second. */
export const restartOlder: Fault = {
  needs: 'nothing',
  side: 'target',
  holdMs: [0, 1500],
  weight: 3,
  async inject(context) {
    const node = await context.target.master(context.shard);
    const ageMs = context.random.between(100, 3000);
    context.tell({ node: node.server.port, ageMs });
    await ask(node.server, 'SAVE');
    await delay(ageMs);
    return killed(context, node, 'snapshot');
  },
};

/** The peer's failing case: a shard put back by 0.4 s, and back at once. */
export const restartBehind: Fault = {
  ...restartOlder,
  weight: 0,
  holdMs: [0, 1],
  async inject(context) {
    const node = await context.target.master(context.shard);
    context.tell({ node: node.server.port, ageMs: 400 });
    await ask(node.server, 'SAVE');
    await delay(400);
    return killed(context, node, 'snapshot');
  },
};

/** Comes back with nothing, and does not say so. */
export const restartEmpty: Fault = {
  needs: 'nothing',
  side: 'target',
  holdMs: [0, 1500],
  weight: 1,
  async inject(context) {
    const node = await context.target.master(context.shard);
    context.tell({ node: node.server.port });
    return killed(context, node, 'nothing');
  },
};

async function killed(context: FaultContext, node: SideNode, keeps: 'snapshot' | 'nothing'): Promise<Repair> {
  await crashServer(node);
  return async () => {
    if (keeps === 'nothing') forgetSnapshot(node);
    await node.server.restart();
    // Nobody else is to load it: a later fault makes its own.
    forgetSnapshot(node);
    await context.target.waitUntilWhole();
  };
}

/** SIGKILL, and gone when it resolves. */
export async function crashServer({ server }: SideNode): Promise<void> {
  server.kill('SIGKILL');
  await server.waitForExit();
  await waitFor(() => !server.running, { what: `the server on port ${server.port} to be gone` });
}

/** The next start is an empty one. */
export function forgetSnapshot({ server }: SideNode): void {
  rmSync(join(server.directory, SNAPSHOT_FILE), { force: true });
}

function programOf(program: EngineProcess | null): EngineProcess {
  if (program === null) throw new Error('this engine has no process of its own');
  return program;
}
