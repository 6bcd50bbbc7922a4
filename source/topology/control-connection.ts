// Connections for questions beside the data: INFO, CLUSTER, CONFIG, ACL. One attempt, no reconnecting behind anybody's
// back, RESP2, and every failure as one sentence. AUTH is sent here and not by the client library, which prints its
// warnings over the screen and keeps the password in its errors.
import { Redis, type RedisOptions } from 'ioredis';
import { messageOf } from '../engine/errors.ts';
import { connectionError } from './connection-error.ts';
import type { Credentials, Endpoint, NodeAddress } from './endpoint.ts';

/** A server may be busy with a slow script; one that says nothing for this long is treated as gone. */
const COMMAND_TIMEOUT_MS = 15_000;

/** What the server says to AUTH when it wants none: no reason to turn back. */
const NO_PASSWORD_NEEDED = /no password is set|without any password configured/i;

/** Refusals of the greeting that prove nothing against the connection: no right to it, not known, still loading. */
const HARMLESS_GREETING_REFUSAL = /NOPERM|unknown (sub)?command|LOADING|MASTERDOWN|BUSY/i;

/** Replies in the shapes of RESP2. */
export type ControlOptions = RedisOptions & { readonly replyMapping: 'legacy' };

/** The client library's options for a connection that carries questions; credentials are not among them. */
export function connectOptions(endpoint: Endpoint, address: NodeAddress): ControlOptions {
  const options: ControlOptions = {
    host: address.host,
    port: address.port,
    lazyConnect: true,
    protocol: 2,
    replyMapping: 'legacy',
    connectTimeout: endpoint.connectTimeoutMs,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: () => null,
    reconnectOnError: null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false,
    disableClientInfo: true,
    keepAlive: 30_000,
  };
  const { tls } = endpoint;
  if (tls === null) return options;
  return {
    ...options,
    tls: {
      rejectUnauthorized: tls.verify,
      ...(tls.ca === null ? {} : { ca: tls.ca }),
      ...(tls.cert === null ? {} : { cert: tls.cert }),
      ...(tls.key === null ? {} : { key: tls.key }),
      ...(tls.serverName === null ? {} : { servername: tls.serverName }),
    },
  };
}

/**
 * Connects, proves the credentials and names the connection (`name` without spaces). Throws a FerryError that says what
 * to do. When the link breaks later, pending and later commands reject; nothing is ever emitted unhandled.
 */
export async function openControl(endpoint: Endpoint, address: NodeAddress, name: string): Promise<Redis> {
  return open(endpoint, address, name, endpoint.credentials);
}

/** The same for one of the endpoint's sentinels, which have credentials of their own. */
export async function openSentinel(endpoint: Endpoint, address: NodeAddress, name: string): Promise<Redis> {
  return open(endpoint, address, name, endpoint.sentinelCredentials);
}

async function open(endpoint: Endpoint, address: NodeAddress, name: string, credentials: Credentials): Promise<Redis> {
  const connection = new Redis(connectOptions(endpoint, address));
  // The cause comes as an event; the promise only says that the connection is closed.
  let said: unknown = null;
  connection.on('error', (error: unknown) => {
    said ??= error;
  });
  const deadline = deadlineAfter(endpoint.connectTimeoutMs);
  try {
    await Promise.race([greet(connection, name, credentials), deadline.passed]);
    return connection;
  } catch (thrown) {
    connection.disconnect();
    const cause = said ?? thrown;
    const silent = endpoint.tls !== null && /ETIMEDOUT/.test(messageOf(cause));
    throw connectionError(silent ? new Error('TLS ETIMEDOUT') : cause, address);
  } finally {
    deadline.cancel();
  }
}

async function greet(connection: Redis, name: string, { username, password }: Credentials): Promise<void> {
  await connection.connect();
  // A user without a password (nopass) is named with an empty one.
  if (username !== null || password !== null) await authenticate(connection, username, password ?? '');
  try {
    await connection.call('CLIENT', 'SETNAME', name);
  } catch (thrown) {
    if (!HARMLESS_GREETING_REFUSAL.test(messageOf(thrown))) throw thrown;
  }
}

async function authenticate(connection: Redis, username: string | null, password: string): Promise<void> {
  try {
    await connection.call('AUTH', username === null ? [password] : [username, password]);
  } catch (thrown) {
    const message = messageOf(thrown);
    // A new error: the library's own carries the arguments, and so the password.
    if (!NO_PASSWORD_NEEDED.test(message)) throw new Error(message);
  }
}

/** A server that takes the connection and then says nothing would hold us for the whole command timeout. */
function deadlineAfter(timeoutMs: number): { readonly passed: Promise<never>; readonly cancel: () => void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('ETIMEDOUT')), timeoutMs);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}
