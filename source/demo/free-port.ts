// Finds loopback ports for servers. They are taken from below the range from which the system gives ports to outgoing
// connections (32768 on Linux, 49152 on macOS), since one of those could take the port between the look and the bind.
import { createServer } from 'node:net';

const FIRST_PORT = 12_000;
const LAST_PORT = 21_999;
/** Where a cluster node listens for its peers unless --cluster-port says otherwise (which servers before 7.0 do not know). */
export const BUS_PORT_DISTANCE = 10_000;
const ATTEMPTS = 200;

/** A port that was free a moment ago, and with it the port for the cluster bus; the caller tries again if it is lost. */
export async function findFreePort(host: string): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    if ((await isFree(host, port)) && (await isFree(host, port + BUS_PORT_DISTANCE))) return port;
  }
  throw new Error(`No free port pair between ${FIRST_PORT} and ${LAST_PORT} on ${host} in ${ATTEMPTS} attempts.`);
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
