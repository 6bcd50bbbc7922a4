// The link to one source shard: speaks to it as a replica does, receives its snapshot and its stream, and tells how far
// they have been applied. It never sends anything between PSYNC and the last byte of the snapshot: an acknowledgement in
// that time keeps a diskless source from ever starting (seen on Redis 6.0 to 8.0 and Valkey 8.1).
import { FerryError } from '../engine/errors.ts';
import { Connection, type ConnectionOptions } from '../protocol/connection.ts';
import { encodeCommand } from '../protocol/resp-encode.ts';
import type { ServerVersion } from '../topology/topology.ts';
import { PsyncFraming, type SnapshotFrame } from './psync-framing.ts';

/** Right after the snapshot the source may overlook an ACK (it has not put us online yet), so it is repeated quickly. */
const ACK_UNTIL_STREAM_MS = 100;
const ACK_MS = 1000;

/** A place in a replication history: everything up to and with `offset` is known. */
export interface StreamPlace {
  readonly replid: string;
  readonly offset: number;
}

export interface LinkListener {
  /** Connected and authenticated. */
  connected(): void;
  /** REPLCONF is done; resolves when PSYNC may be sent (the number of snapshots at once is limited). */
  handshaken(): Promise<void>;
  /** PSYNC was sent. */
  requested(): void;
  /** The source makes a full snapshot; its stream begins behind `offset`. */
  fullResync(place: StreamPlace): void;
  /** The source goes on where we were; the history may have a new name. */
  continued(replid: string): void;
  heartbeat(): void;
  snapshotBegins(frame: SnapshotFrame): void;
  bytes(view: Buffer): boolean;
  snapshotReceived(): void;
  /** The link is gone, for the reason given; not called after `close`. */
  lost(error: FerryError): void;
}

export class ReplicationLink {
  readonly #connection: Connection;
  readonly #listener: LinkListener;
  readonly #source: ServerVersion;
  readonly #appliedOffset: () => number | null;
  #ackTimer: NodeJS.Timeout | null = null;
  #streamSeen = false;
  #inStream = false;
  #closed = false;

  /**
   * @param source the version the source runs.
   * @param appliedOffset the offset to acknowledge: applied, not received.
   */
  constructor(
    options: ConnectionOptions,
    source: ServerVersion,
    listener: LinkListener,
    appliedOffset: () => number | null,
  ) {
    this.#source = source;
    this.#connection = new Connection(options);
    this.#listener = listener;
    this.#appliedOffset = appliedOffset;
  }

  /** Connects and asks for the stream from `from` on, or for everything. @throws FerryError when that fails. */
  async open(from: StreamPlace | null): Promise<void> {
    await this.#connection.open();
    this.#listener.connected();
    await this.#greet();
    await this.#listener.handshaken();
    if (this.#closed) return;
    if (this.#connection.closed) throw this.#lostError(null);
    const framing = new PsyncFraming({
      replied: (line) => this.#replied(line),
      heartbeat: () => this.#listener.heartbeat(),
      snapshotBegins: (frame) => this.#listener.snapshotBegins(frame),
      bytes: (view) => {
        if (this.#inStream && !this.#streamSeen) this.#streamBegins();
        return this.#listener.bytes(view);
      },
      snapshotReceived: () => {
        this.#inStream = true;
        this.#listener.snapshotReceived();
        this.#acknowledgeEvery(ACK_UNTIL_STREAM_MS);
      },
    });
    this.#connection.listen(
      (bytes) => {
        try {
          return framing.feed(bytes);
        } catch (error) {
          this.#fail(error instanceof FerryError ? error : this.#lostError(error));
          return false;
        }
      },
      (error) => this.#fail(this.#lostError(error)),
    );
    this.#connection.write(
      encodeCommand(from === null ? ['PSYNC', '?', '-1'] : ['PSYNC', from.replid, String(from.offset + 1)]),
    );
    this.#listener.requested();
  }

  /** Goes on reading after `bytes` asked to stop. */
  resume(): void {
    this.#connection.resume();
  }

  close(): void {
    this.#closed = true;
    if (this.#ackTimer !== null) clearInterval(this.#ackTimer);
    this.#connection.destroy();
  }

  /** Sends the applied offset now; only once the stream may flow. */
  acknowledge(): void {
    const offset = this.#appliedOffset();
    if (offset !== null) this.#connection.write(encodeCommand(['REPLCONF', 'ACK', String(offset)]));
  }

  async #greet(): Promise<void> {
    const pong = await this.#connection.request(['PING']);
    if (pong.startsWith('-NOAUTH') || pong.startsWith('-NOPERM')) {
      throw new FerryError(
        `The source ${this.#connection.address} asks for credentials (${pong.slice(1)}): set source.username and source.password.`,
        { code: 'auth' },
      );
    }
    // Port 0, never a real one: Sentinel would take a Redis that listens there for a candidate in a failover.
    await this.#connection.request(['REPLCONF', 'listening-port', '0']);
    // An old source answers with an error and simply lacks the capability.
    await this.#connection.request(['REPLCONF', 'capa', 'eof', 'capa', 'psync2']);
    const { product, major, minor, patch } = this.#source;
    // Valkey writes the snapshot in the format of the version that its replica names, and of none in that of 7.2, in
    // which its 9 can not store field expiries: the snapshot then fails (seen on 9.1).
    if (product === 'Valkey') await this.#connection.request(['REPLCONF', 'version', `${major}.${minor}.${patch}`]);
  }

  #replied(line: string): 'snapshot' | 'stream' {
    const full = /^\+FULLRESYNC ([0-9a-zA-Z]{40}) (\d+)$/.exec(line);
    if (full !== null) {
      this.#listener.fullResync({ replid: full[1] ?? '', offset: Number(full[2]) });
      return 'snapshot';
    }
    const continued = /^\+CONTINUE(?: ([0-9a-zA-Z]{40}))?$/.exec(line);
    if (continued !== null) {
      this.#inStream = true;
      this.#listener.continued(continued[1] ?? '');
      this.#acknowledgeEvery(ACK_UNTIL_STREAM_MS);
      return 'stream';
    }
    throw this.#refusal(line);
  }

  #refusal(line: string): FerryError {
    const source = `The source ${this.#connection.address}`;
    const reply = line.slice(1);
    if (/^-(NOMASTERLINK|LOADING|MASTERDOWN)/.test(line)) {
      return new FerryError(`${source} can not replicate yet (${reply}).`, {
        code: 'source-not-ready',
        retriable: true,
      });
    }
    if (/^-NOPERM/.test(line)) {
      return new FerryError(`${source} forbids PSYNC to this user (${reply}): grant +psync +replconf +ping.`, {
        code: 'no-psync',
      });
    }
    if (/^-ERR unknown command/i.test(line)) {
      return new FerryError(
        `${source} has no PSYNC (${reply}): its provider closed replication; this needs the scan reader.`,
        {
          code: 'no-psync',
        },
      );
    }
    return new FerryError(`${source} answered PSYNC with "${line}".`, { code: 'psync' });
  }

  #streamBegins(): void {
    this.#streamSeen = true;
    this.#acknowledgeEvery(ACK_MS);
  }

  #acknowledgeEvery(periodMs: number): void {
    if (this.#ackTimer !== null) clearInterval(this.#ackTimer);
    // Whoever took the last bytes may have closed the link on them.
    if (this.#closed) return;
    this.acknowledge();
    this.#ackTimer = setInterval(() => this.acknowledge(), periodMs);
  }

  #lostError(cause: unknown): FerryError {
    const detail = cause instanceof Error ? ` (${cause.message})` : '';
    return new FerryError(`The link to the source ${this.#connection.address} broke${detail}.`, {
      code: 'source-lost',
      retriable: true,
      cause,
    });
  }

  #fail(error: FerryError): void {
    if (this.#closed) return;
    this.close();
    this.#listener.lost(error);
  }
}
