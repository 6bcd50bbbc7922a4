// Faults of limits: the source throws its replicas out, its backlog is overrun, the target's memory is full.
import { ask, askAll, info } from './ask.ts';
import { type Fault, NOTHING_TO_REPAIR } from './fault.ts';

const SMALL_BACKLOG = 16_384;
const FILLER_BYTES = 8192;
const FILLER_AT_ONCE = 16;
const OVERRUN_MS = 15_000;

/** What a source does whose output buffer limit is reached. */
export const dropReplicas: Fault = {
  needs: 'nothing',
  side: 'source',
  holdMs: [0, 300],
  weight: 3,
  async inject(context) {
    const { server } = await context.source.master(context.shard);
    context.tell({ node: server.port });
    await ask(server, 'CLIENT', 'KILL', 'TYPE', 'replica');
    return NOTHING_TO_REPAIR;
  },
};

/** Away for longer than the backlog reaches back: only a full sync goes on from there. */
export const overrunBacklog: Fault = {
  needs: 'nothing',
  side: 'source',
  holdMs: [0, 200],
  weight: 1,
  async inject(context) {
    const { server, proxy } = await context.source.master(context.shard);
    const size = (await ask(server, 'INFO', 'replication')).match(/repl_backlog_size:(\d+)/)?.[1] ?? '33554432';
    const filler = await context.source.keyOn(context.shard, 'chaos:filler:');
    const numberOf = async (field: string): Promise<number> => Number((await info(server, 'replication')).get(field));
    proxy.refuse(true);
    proxy.cut();
    const lostAt = await numberOf('master_repl_offset');
    context.tell({ node: server.port, lostAt });
    await ask(server, 'CONFIG', 'SET', 'repl-backlog-size', SMALL_BACKLOG);
    const deadline = Date.now() + OVERRUN_MS;
    while ((await numberOf('repl_backlog_first_byte_offset')) <= lostAt + 1) {
      if (Date.now() > deadline) throw new Error('the backlog still reaches back');
      const text = 'x'.repeat(FILLER_BYTES);
      await askAll(
        server,
        Array.from({ length: FILLER_AT_ONCE }, () => ['SET', filler, text]),
      );
    }
    return async () => {
      await ask(server, 'CONFIG', 'SET', 'repl-backlog-size', size);
      proxy.refuse(false);
    };
  },
};

/** OOM for a moment, by a limit that what is there already exceeds. */
export const fillMemory: Fault = {
  needs: 'nothing',
  side: 'target',
  holdMs: [200, 3000],
  weight: 2,
  async inject(context) {
    const { server } = await context.target.master(context.shard);
    context.tell({ node: server.port });
    await ask(server, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    await ask(server, 'CONFIG', 'SET', 'maxmemory', 1);
    return async () => {
      await ask(server, 'CONFIG', 'SET', 'maxmemory', 0);
    };
  },
};
