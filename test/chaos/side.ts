// One side of a scenario: its servers, a proxy in front of each for redferry alone, and who is what at the moment.
// Shard i is the group of processes that began as master i and its replicas, whoever of them is master now.
import { type RunningServer, startCluster, startServer } from '../../source/demo/local-servers.ts';
import type { ClusterNode } from '../../source/topology/cluster-node.ts';
import { parseClusterNodes } from '../../source/topology/cluster-nodes.ts';
import { formatAddress, type NodeAddress } from '../../source/topology/endpoint.ts';
import { keySlot } from '../../source/validation/key-slot.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait.ts';
import { ask, info } from './ask.ts';
import type { SideShape } from './scenario.ts';

export interface SideNode {
  readonly server: RunningServer;
  /** What redferry connects to instead of the server. */
  readonly proxy: TcpProxy;
}

/** Servers wait this long before a node counts as down: a freeze may be shorter or longer than that. */
const NODE_TIMEOUT_MS = 3000;
const WHOLE_MS = 30_000;
/** A diskless snapshot begins at once, and a replica follows its promoted master without copying all again. */
const ARGS = [
  ...['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0', '--repl-timeout', '20'],
  ...['--repl-backlog-size', '32mb'],
];
/** A replica may take over however old its data is, and stays with the shard it was given to. */
const CLUSTER_ARGS = ['--cluster-replica-validity-factor', '0', '--cluster-migration-barrier', '100'];

export class Side {
  readonly name: 'source' | 'target';
  readonly cluster: boolean;
  /** groups[i]: the nodes of shard i. */
  readonly groups: readonly (readonly SideNode[])[];

  private constructor(name: Side['name'], cluster: boolean, groups: Side['groups']) {
    this.name = name;
    this.cluster = cluster;
    this.groups = groups;
  }

  static async start(name: Side['name'], shape: SideShape): Promise<Side> {
    const own = shape.args ?? [];
    if (shape.kind === 'standalone') {
      const server = await startServer({ args: [...ARGS, ...own], binary: shape.binary });
      return new Side(name, false, [[await withProxy(server)]]);
    }
    const cluster = await startCluster({
      masters: shape.masters,
      replicasPerMaster: shape.replicas,
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      args: [...ARGS, ...CLUSTER_ARGS, ...own],
      binary: shape.binary,
    });
    const groups = cluster.masters.map((master, shard) => [master, ...(cluster.replicas[shard] ?? [])]);
    return new Side(name, true, await Promise.all(groups.map((group) => Promise.all(group.map(withProxy)))));
  }

  get nodes(): readonly SideNode[] {
    return this.groups.flat();
  }

  /** For redferry's configuration: every node is reached through its proxy. */
  get addressMap(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.nodes.map(({ server, proxy }) => [formatAddress(server), formatAddress(proxy)]));
  }

  /** All nodes by their proxies: whichever is down, another one answers. */
  get address(): string {
    return `redis://${this.nodes.map(({ proxy }) => formatAddress(proxy)).join(',')}`;
  }

  /** The addresses that clients use which are no part of the experiment. */
  get direct(): readonly NodeAddress[] {
    return this.nodes.map(({ server: { host, port } }) => ({ host, port }));
  }

  /** The cluster's members as the cluster itself sees them: asks the nodes in turn, and believes one that is whole. */
  async members(): Promise<readonly ClusterNode[]> {
    for (const { server } of this.nodes) {
      if (!server.running) continue;
      try {
        if (!(await ask(server, 'CLUSTER', 'INFO')).includes('cluster_state:ok')) continue;
        return parseClusterNodes(await ask(server, 'CLUSTER', 'NODES'));
      } catch {
        // The next one.
      }
    }
    throw new Error(`no node of the ${this.name} sees its cluster whole`);
  }

  /** The node that serves shard `shard` now, waiting for an election under way. */
  async master(shard: number): Promise<SideNode> {
    const group = this.groups[shard % this.groups.length] ?? [];
    const [only] = group;
    if (!this.cluster && only !== undefined) return only;
    return waitFor(
      async () => {
        const members = await this.members();
        return group.find(({ server }) =>
          members.some((node) => node.port === server.port && node.role === 'master' && node.slots.length > 0),
        );
      },
      { what: `shard ${shard} of the ${this.name} to have a master`, deadlineMs: WHOLE_MS, intervalMs: 50 },
    );
  }

  /** A replica of the shard that is in touch with its master, waiting for one. @throws Error when there is none. */
  async replica(shard: number): Promise<SideNode> {
    const group = this.groups[shard % this.groups.length] ?? [];
    return waitFor(
      async () => {
        for (const node of group) {
          const replication = await info(node.server, 'replication').catch(() => null);
          if (replication?.get('role') === 'slave' && replication.get('master_link_status') === 'up') return node;
        }
        return null;
      },
      { what: `a replica of shard ${shard} of the ${this.name}`, deadlineMs: WHOLE_MS, intervalMs: 50 },
    );
  }

  /** The masters that serve slots, for a comparison and for barriers. */
  async masters(): Promise<readonly SideNode[]> {
    return Promise.all(this.groups.map((_, shard) => this.master(shard)));
  }

  /** The member that owns a key's slot. Only of a cluster. */
  async ownerOf(slot: number): Promise<SideNode> {
    return waitFor(
      async () => {
        const owner = (await this.members()).find((node) => holds(node, slot));
        return this.nodes.find(({ server }) => server.port === owner?.port);
      },
      { what: `slot ${slot} of the ${this.name} to have an owner`, deadlineMs: WHOLE_MS, intervalMs: 50 },
    );
  }

  /** `prefix{n}` in a slot of this shard; in a standalone any. */
  async keyOn(shard: number, prefix: string): Promise<string> {
    if (!this.cluster) return `${prefix}{0}`;
    const master = await this.master(shard);
    const member = (await this.members()).find(({ port }) => port === master.server.port);
    for (let number = 0; ; number++) {
      const key = `${prefix}{${number}}`;
      if (member === undefined || holds(member, keySlot(Buffer.from(key)))) return key;
    }
  }

  /** Everybody runs, everybody agrees, nothing is half moved, and every replica follows. */
  async waitUntilWhole(): Promise<void> {
    const { nodes, name } = this;
    await waitFor(() => (this.cluster ? this.#whole() : allOf(nodes, answers)), {
      what: `the ${name} (${nodes.map(({ server }) => server.port).join(', ')}) to be whole`,
      deadlineMs: WHOLE_MS,
      intervalMs: 100,
    });
  }

  async #whole(): Promise<boolean> {
    const views = await Promise.all(this.nodes.map(({ server }) => viewOf(server, this.nodes.length)));
    // A node that has not heard of a failover yet would send SETSLOT to what is a replica by now.
    return views[0] !== null && views.every((view) => view === views[0]);
  }

  /** The proxies; the servers end with `stopAll` of local-servers.ts. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map(({ proxy }) => proxy.stop()));
  }
}

async function withProxy(server: RunningServer): Promise<SideNode> {
  return { server, proxy: await startTcpProxy(server) };
}

async function allOf(nodes: readonly SideNode[], holdsFor: (node: SideNode) => Promise<boolean>): Promise<boolean> {
  return (await Promise.all(nodes.map(holdsFor))).every(Boolean);
}

async function answers({ server }: SideNode): Promise<boolean> {
  return (await ask(server, 'PING')) === 'PONG';
}

/** Who serves what and who follows whom, as one node of a cluster of `size` sees it; null while something is amiss. */
async function viewOf(server: RunningServer, size: number): Promise<string | null> {
  if (!(await ask(server, 'CLUSTER', 'INFO')).includes('cluster_state:ok')) return null;
  const table = await ask(server, 'CLUSTER', 'NODES');
  if (/handshake|noaddr|fail|\[\d+-[<>]-/.test(table)) return null;
  const members = parseClusterNodes(table);
  if (members.length !== size) return null;
  const replication = await info(server, 'replication');
  if (replication.get('role') !== 'master' && replication.get('master_link_status') !== 'up') return null;
  return JSON.stringify(members.map(({ id, role, slots }) => ({ id, role, slots })).sort(byId));
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}

function holds(node: ClusterNode, slot: number): boolean {
  return node.role === 'master' && node.slots.some(({ first, last }) => first <= slot && slot <= last);
}
