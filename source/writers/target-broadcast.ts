// Sends one command to every target node on a connection of its own: for what has no key (functions, scripts, flushes).
// Called behind a barrier: nothing of the same shard is under way meanwhile.
import { Connection } from '../protocol/connection.ts';
import type { Endpoint, NodeAddress } from '../topology/endpoint.ts';

/** Loading a library or emptying a database may take a while. */
const ANSWER_MS = 60_000;

export interface BroadcastRefusal {
  readonly address: string;
  readonly reply: string;
}

/**
 * @param args text or bytes.
 * @returns the nodes that answered with an error. @throws FerryError when a node can not be reached.
 */
export async function broadcast(
  target: Endpoint,
  nodes: readonly NodeAddress[],
  args: readonly (string | Uint8Array)[],
): Promise<readonly BroadcastRefusal[]> {
  const refusals: BroadcastRefusal[] = [];
  for (const address of nodes) {
    const connection = new Connection({
      address,
      tls: target.tls,
      credentials: target.credentials,
      connectTimeoutMs: target.connectTimeoutMs,
    });
    try {
      await connection.open();
      const reply = await connection.request(args, ANSWER_MS);
      if (reply.startsWith('-')) refusals.push({ address: connection.address, reply: reply.slice(1) });
    } finally {
      connection.destroy();
    }
  }
  return refusals;
}
