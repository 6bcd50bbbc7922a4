// The stores these tests compare: a fresh standalone server or a cluster of three masters, as the comparer is told of them;
// how they are emptied, and how commands come into them.
import type { Command } from '../../source/validation/connection.ts';
import { ReplyError } from '../../source/validation/resp-reader.ts';
import { type CompareSide, openSide } from '../../source/validation/side.ts';
import type { Servers } from '../support/servers.ts';

export async function openStandalone(servers: Servers, args: readonly string[] = []): Promise<CompareSide> {
  const { host, port } = await servers.startServer({ args });
  return { addresses: [{ host, port }], cluster: false };
}

export async function openCluster(servers: Servers): Promise<CompareSide> {
  const { masters } = await servers.startCluster();
  return { addresses: masters.map(({ host, port }) => ({ host, port })), cluster: true };
}

/** Takes every key out of a store. */
export async function emptyStore(description: CompareSide): Promise<void> {
  const side = await openSide(description);
  for (const node of side.nodes) await node.call(['FLUSHALL']);
  side.close();
}

/** Sends commands to where their first key lives, those of a node in their order; a refused one fails the test. */
export async function write(description: CompareSide, commands: readonly Command[], database = 0): Promise<void> {
  const side = await openSide(description);
  for (const [number, node] of side.nodes.entries()) {
    const own = commands.filter((command) => {
      const key = command[command[0] === 'XGROUP' ? 2 : 1] ?? '';
      return side.numberOf(Buffer.isBuffer(key) ? key : Buffer.from(String(key))) === number;
    });
    const replies = await node.batch(own, database);
    for (const [index, reply] of replies.entries()) {
      if (reply instanceof ReplyError) throw new Error(`${own[index]?.slice(0, 3).join(' ')}: ${reply.message}`);
    }
  }
  side.close();
}
