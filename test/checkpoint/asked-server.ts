// A server as checkpoint/ asks it: one command, one connection.
import { Redis } from 'ioredis';
import { onTestFinished } from 'vitest';
import type { AskedNode } from '../../source/checkpoint/node-request.ts';
import type { NodeAddress } from '../../source/topology/endpoint.ts';

export interface AskedServer extends AskedNode {
  readonly client: Redis;
}

/** Connected until the test ends. */
export async function askServer({ host, port }: NodeAddress, name = 'test'): Promise<AskedServer> {
  const client = new Redis({
    host,
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    protocol: 2,
    replyMapping: 'legacy',
  });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  await client.connect();
  await client.call('CLIENT', 'SETNAME', name);
  return {
    client,
    address: `${host}:${port}`,
    request: ([command, ...args]) => client.call(command as string, ...args),
  };
}
