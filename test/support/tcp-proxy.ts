// A network that can be broken on purpose: a TCP proxy on loopback that cuts, stalls or refuses connections on demand.
import { connect, createServer, type Socket } from 'node:net';
import type { NodeAddress } from '../../source/topology/endpoint.ts';

/** Seen from the one who connects to the proxy: `up` goes to the server, `down` comes from it. */
export type Direction = 'up' | 'down';

export interface TcpProxy {
  readonly host: string;
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Connections accepted since the start. */
  readonly accepted: number;
  readonly bytes: { readonly up: number; readonly down: number };
  /** Resets every open connection; new ones are served as before. */
  cut(): void;
  /** Cuts by itself as soon as this many more bytes have passed in a direction. */
  cutAfter(direction: Direction, bytes: number): void;
  /** Holds the bytes back, also those of new connections, and keeps everything open. */
  stall(direction?: Direction): void;
  /**
   * Holds the bytes of the connections that are open now, while new ones pass; `resume` delivers them late, also those
   * of a connection that its client has given up meanwhile. What an old link's socket buffer does to a new link.
   */
  hold(): void;
  /**
   * Half-open for ever: of what is open now nothing passes any more, neither end hears of it, and new ones are served.
   * What a firewall does that has forgotten a connection.
   */
  vanish(): void;
  /** Ends a stall and a hold. */
  resume(): void;
  /** While on, a new connection is reset at once. */
  refuse(on: boolean): void;
  /** Cuts everything and stops listening. */
  stop(): Promise<void>;
}

interface Flow {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  silence: 'held' | 'vanished' | null;
}

/** Listens on a free loopback port and passes everything on to `target`. */
export async function startTcpProxy(target: NodeAddress): Promise<TcpProxy> {
  const flows = new Set<Flow>();
  const stalled = new Set<Direction>();
  const bytes = { up: 0, down: 0 };
  const cutAt = { up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY };
  let accepted = 0;
  let refusing = false;

  const passes = (flow: Flow): boolean => flow.silence === null && !stalled.has(flow.direction);

  const silence = (how: 'held' | 'vanished'): void => {
    for (const flow of flows) {
      if (flow.silence !== 'vanished') flow.silence = how;
      flow.from.pause();
    }
  };

  const cut = (): void => {
    for (const { from } of flows) from.resetAndDestroy();
  };

  const forward = (flow: Flow): void => {
    const { from, to, direction } = flow;
    flows.add(flow);
    if (!passes(flow)) from.pause();
    from.on('data', (chunk) => {
      bytes[direction] += chunk.length;
      if (!to.write(chunk)) from.pause();
      if (bytes[direction] < cutAt[direction]) return;
      cutAt[direction] = Number.POSITIVE_INFINITY;
      cut();
    });
    to.on('drain', () => {
      if (passes(flow)) from.resume();
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      flows.delete(flow);
      to.destroy();
    });
  };

  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted += 1;
    if (refusing) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: target.host, port: target.port, allowHalfOpen: true });
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    forward({ from: client, to: upstream, direction: 'up', silence: null });
    forward({ from: upstream, to: client, direction: 'down', silence: null });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  return {
    host: '127.0.0.1',
    port: address.port,
    get connections() {
      return flows.size / 2;
    },
    get accepted() {
      return accepted;
    },
    bytes,
    cut,
    cutAfter: (direction, count) => {
      cutAt[direction] = bytes[direction] + count;
    },
    stall: (direction) => {
      for (const each of direction === undefined ? (['up', 'down'] as const) : [direction]) stalled.add(each);
      for (const flow of flows) if (stalled.has(flow.direction)) flow.from.pause();
    },
    hold: () => silence('held'),
    vanish: () => silence('vanished'),
    resume: () => {
      stalled.clear();
      for (const flow of flows) {
        if (flow.silence === 'held') flow.silence = null;
        if (passes(flow) && !flow.to.writableNeedDrain) flow.from.resume();
      }
    },
    refuse: (on) => {
      refusing = on;
    },
    stop: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cut();
      return closed;
    },
  };
}
