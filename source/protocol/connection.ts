// A bare connection to a Redis server for the data paths: bytes in, bytes out, no command objects. It reads into one
// reused buffer (`onread`), so whoever listens must copy what it keeps. Control questions go through ioredis instead.
import * as net from 'node:net';
import * as tls from 'node:tls';
import { FerryError } from '../engine/errors.ts';
import { type Credentials, formatAddress, type NodeAddress, type TlsSettings } from '../topology/endpoint.ts';
import { encodeCommand } from './resp-encode.ts';

/** 256 KiB: larger reads measured no faster on loopback, smaller ones cost a system call each. */
const READ_BUFFER_BYTES = 256 * 1024;
const KEEPALIVE_MS = 15_000;

export interface ConnectionOptions {
  readonly address: NodeAddress;
  readonly tls: TlsSettings | null;
  readonly credentials: Credentials;
  readonly connectTimeoutMs: number;
  readonly readBufferBytes?: number;
}

/** Receives a view into the reused read buffer; false asks the connection to stop reading until `resume`. */
export type BytesListener = (bytes: Buffer) => boolean;
export type CloseListener = (error: Error | null) => void;

export class Connection {
  readonly address: string;
  readonly #options: ConnectionOptions;
  #socket: net.Socket | null = null;
  #onBytes: BytesListener = () => true;
  #onClose: CloseListener = () => {};
  #closed = false;
  #lastError: Error | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.address = formatAddress(options.address);
  }

  /**
   * Connects and authenticates.
   * @throws FerryError `unreachable`, `timeout`, `auth` or `tls`, each naming the address and what to do.
   */
  async open(): Promise<void> {
    await this.#connect();
    const { username, password } = this.#options.credentials;
    if (password === null) return;
    const reply = await this.request(username === null ? ['AUTH', password] : ['AUTH', username, password]);
    if (reply.startsWith('-')) {
      this.destroy();
      throw new FerryError(
        `${this.address} refused the credentials (${reply.slice(1)}): check username and password.`,
        {
          code: 'auth',
        },
      );
    }
  }

  #connect(): Promise<void> {
    const { address, connectTimeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.destroy();
        reject(
          new FerryError(
            `${this.address} did not accept a connection within ${connectTimeoutMs / 1000} s: check address, route and firewall.`,
            { code: 'timeout', retriable: true },
          ),
        );
      }, connectTimeoutMs);
      const connected = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const socket = this.#options.tls === null ? this.#plainSocket(connected) : this.#tlsSocket(connected);
      this.#socket = socket;
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_MS);
      socket.on('error', (error) => {
        this.#lastError = error;
        clearTimeout(timer);
        reject(
          new FerryError(
            `${this.address} could not be reached (${error.message}): is the server up and the address right?`,
            {
              code: 'unreachable',
              retriable: true,
              cause: error,
            },
          ),
        );
      });
      socket.on('close', () => {
        clearTimeout(timer);
        if (this.#closed) return;
        this.#closed = true;
        this.#onClose(this.#lastError);
      });
      if (address.port === 0) socket.destroy(new Error('port 0'));
    });
  }

  #plainSocket(connected: () => void): net.Socket {
    const { address } = this.#options;
    return net.connect(
      {
        host: address.host,
        port: address.port,
        onread: {
          buffer: Buffer.allocUnsafeSlow(this.#options.readBufferBytes ?? READ_BUFFER_BYTES),
          callback: (count: number, buffer: Uint8Array): boolean =>
            this.#onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, count)),
        },
      },
      connected,
    );
  }

  #tlsSocket(connected: () => void): net.Socket {
    const { address, tls: settings } = this.#options;
    const socket = tls.connect(
      {
        host: address.host,
        port: address.port,
        rejectUnauthorized: settings?.verify ?? true,
        ...(settings?.ca ? { ca: settings.ca } : {}),
        ...(settings?.cert ? { cert: settings.cert } : {}),
        ...(settings?.key ? { key: settings.key } : {}),
        ...(settings?.serverName ? { servername: settings.serverName } : {}),
      },
      connected,
    );
    socket.on('data', (bytes: Buffer) => {
      if (!this.#onBytes(bytes)) socket.pause();
    });
    return socket;
  }

  /** Who gets the bytes from now on. */
  listen(onBytes: BytesListener, onClose: CloseListener): void {
    this.#onBytes = onBytes;
    this.#onClose = onClose;
  }

  /**
   * Sends one command and gives its one-line reply as text (`+OK`, `-ERR ...`, `:1`; of a bulk string its content).
   * For the handshake only: nothing else may be under way.
   * @throws FerryError `lost` when the link closes first, `timeout` after `timeoutMs`.
   */
  request(args: readonly (string | Uint8Array)[], timeoutMs = this.#options.connectTimeoutMs): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = '';
      const fail = (code: string, message: string): void => {
        clearTimeout(timer);
        reject(new FerryError(message, { code, retriable: true }));
      };
      const timer = setTimeout(() => {
        fail('timeout', `${this.address} did not answer ${String(args[0])} within ${timeoutMs / 1000} s.`);
      }, timeoutMs);
      this.#onBytes = (bytes) => {
        text += bytes.toString('latin1');
        const reply = completeReply(text);
        if (reply !== null) {
          clearTimeout(timer);
          resolve(reply);
        }
        return true;
      };
      this.#onClose = (error) =>
        fail(
          'lost',
          `${this.address} closed the link after ${String(args[0])}${error === null ? '' : ` (${error.message})`}.`,
        );
      this.write(encodeCommand(args));
    });
  }

  /** Hands bytes to the socket; the buffer must stay as it is until `written` is called. */
  write(bytes: Uint8Array, written?: () => void): void {
    if (this.#socket === null || this.#socket.destroyed) return;
    this.#socket.write(bytes, written);
  }

  /** Several pieces in as few writes as the system takes them in. */
  writeAll(parts: readonly Uint8Array[]): void {
    this.#socket?.cork();
    for (const part of parts) this.write(part);
    this.#socket?.uncork();
  }

  resume(): void {
    this.#socket?.resume();
  }

  get bytesWaitingToBeSent(): number {
    return this.#socket?.writableLength ?? 0;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closes without calling the close listener. */
  destroy(): void {
    this.#closed = true;
    this.#socket?.destroy();
  }
}

/** The reply in `text` when it is whole, else null; only the kinds that a handshake meets. */
function completeReply(text: string): string | null {
  const lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) return null;
  if (!text.startsWith('$')) return text.slice(0, lineEnd);
  const length = Number(text.slice(1, lineEnd));
  if (length < 0) return '';
  const bodyEnd = lineEnd + 2 + length;
  return text.length >= bodyEnd + 2 ? text.slice(lineEnd + 2, bodyEnd) : null;
}
