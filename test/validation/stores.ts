// The stores these tests compare: a fresh standalone server or a cluster of three masters, as the comparer is told of them.

import type { CompareSide } from '../../source/validation/side.ts';
import type { Servers } from '../support/servers.ts';

export async function openStandalone(servers: Servers, args: readonly string[] = []): Promise<CompareSide> {
  const { host, port } = await servers.startServer({ args });
  return { addresses: [{ host, port }], cluster: false };
}

export async function openCluster(servers: Servers): Promise<CompareSide> {
  const { masters } = await servers.startCluster();
  return { addresses: masters.map(({ host, port }) => ({ host, port })), cluster: true };
}
