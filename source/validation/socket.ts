// Opens the sockets of a comparison, plain or TLS, with messages that name the address. Apart from the engine's
// connections, as all of the comparer is.
import { connect, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { FerryError } from '../engine/errors.ts';
import type { TlsSettings } from '../topology/endpoint.ts';

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  /** null or absent: plain. */
  readonly tls?: TlsSettings | null | undefined;
  readonly connectTimeoutMs?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

export function formatPlace({ host, port }: SocketOptions): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Resolves when connected. With `onread` the bytes go into that one buffer; with TLS, which knows no such thing, they come
 * as 'data' whatever was asked.
 */
export function openSocket(options: SocketOptions, onread?: OnReadOpts): Promise<Socket> {
  const { host, port, tls, connectTimeoutMs = CONNECT_TIMEOUT_MS } = options;
  const address = formatPlace(options);
  return new Promise((resolve, reject) => {
    const connected = (): void => {
      socket.setTimeout(0);
      socket.off('error', onError);
      resolve(socket);
    };
    const socket = tls
      ? connectTls(
          {
            host,
            port,
            rejectUnauthorized: tls.verify,
            ...(tls.ca === null ? {} : { ca: tls.ca }),
            ...(tls.cert === null ? {} : { cert: tls.cert }),
            ...(tls.key === null ? {} : { key: tls.key }),
            ...(tls.serverName === null ? {} : { servername: tls.serverName }),
          },
          connected,
        )
      : connect({ host, port, ...(onread === undefined ? {} : { onread }) }, connected);
    socket.setNoDelay(true);
    socket.setTimeout(connectTimeoutMs, () =>
      socket.destroy(new Error(`no answer within ${connectTimeoutMs / 1000} s`)),
    );
    const onError = (error: Error): void => {
      reject(
        new FerryError(`cannot reach ${address}: ${error.message}`, {
          code: 'unreachable',
          retriable: true,
          cause: error,
        }),
      );
    };
    socket.once('error', onError);
  });
}
