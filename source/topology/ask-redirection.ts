// A key of a slot that is between two nodes of a cluster: the old one says ASK once it has given the key away, and the new
// one answers a question for it behind ASKING. MIGRATE keeps the old one from answering meanwhile (cluster.c of Redis 7.0),
// so a key that it does not have is there.
import type { Redis } from 'ioredis';
import { mapAddress } from './address-map.ts';
import { openControl } from './control-connection.ts';
import { type Endpoint, type NodeAddress, parseNodeAddress } from './endpoint.ts';

/** The node that an error reply sends to for this one question, as it is reached from here; null for any other reply. */
export function readAsk({ addressMap }: Endpoint, text: string): NodeAddress | null {
  const [, place] = /^ASK \d+ (\S+)/.exec(text) ?? [];
  const announced = place === undefined ? null : parseNodeAddress(place);
  return announced === null ? null : mapAddress(addressMap, announced);
}

/** Asks the node that is taking the slot over. */
export async function callAsking(connection: Redis, [command = '', ...args]: readonly string[]): Promise<unknown> {
  // It holds for the next command of the connection: both go out together.
  const [, reply] = await Promise.all([connection.call('ASKING'), connection.call(command, ...args)]);
  return reply;
}

/** The same over a connection of its own. @throws FerryError when the node can not be reached. */
export async function askElsewhere(
  endpoint: Endpoint,
  address: NodeAddress,
  args: readonly string[],
): Promise<unknown> {
  const connection = await openControl(endpoint, address, 'redferry:asking');
  try {
    return await callAsking(connection, args);
  } finally {
    connection.disconnect();
  }
}
