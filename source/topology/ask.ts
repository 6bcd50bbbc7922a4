// Questions to one server on a connection of its own, closed afterwards whatever comes.
import type { Redis } from 'ioredis';
import { connectionError } from './connection-error.ts';
import { openControl } from './control-connection.ts';
import type { Endpoint, NodeAddress } from './endpoint.ts';
import { ServerInfo } from './server-info.ts';

const CONNECTION_NAME = 'redferry:topology';

/** Runs `questions` on a fresh connection to `address`; what goes wrong names that address. */
export async function asking<T>(
  endpoint: Endpoint,
  address: NodeAddress,
  questions: (connection: Redis) => Promise<T>,
  open: typeof openControl = openControl,
): Promise<T> {
  const connection = await open(endpoint, address, CONNECTION_NAME);
  try {
    return await questions(connection);
  } catch (thrown) {
    throw connectionError(thrown, address, 'asking for its topology');
  } finally {
    connection.disconnect();
  }
}

/** INFO of a server. */
export async function readInfo(connection: Redis): Promise<ServerInfo> {
  return new ServerInfo(await connection.info());
}

/** Asks the addresses in order until one answers; when none does, the first one's error says why. */
export async function firstAnswer<T>(
  addresses: readonly NodeAddress[],
  question: (address: NodeAddress) => Promise<T>,
): Promise<T> {
  let failure: unknown = new Error('there is no address to ask');
  let asked = 0;
  for (const address of addresses) {
    try {
      return await question(address);
    } catch (thrown) {
      if (asked++ === 0) failure = thrown;
    }
  }
  throw failure;
}
