// What is said on a new link to a target node before anything is written over it: the link's name, the end of its
// predecessors, that an import comes over it; and who the node is.
import { killFormerConnections, ownConnectionId } from '../checkpoint/fence.ts';
import type { Connection } from '../protocol/connection.ts';
import { parseClusterNodes } from '../topology/cluster-nodes.ts';
import { becomeImportSource } from './import-source.ts';

export interface Introduction {
  /** CLIENT SETNAME of the connection. */
  readonly clientName: string;
  /** Connections of that name that are there already are killed first. */
  readonly fence: boolean;
  /** The target is in import-mode. */
  readonly importSource: boolean;
  /** Of a cluster. */
  readonly nodeId: string | null;
}

/** What tells a node from another that took its place, or its older self; null where it does not say. */
export interface NodeIdentity {
  readonly runId: string | null;
  readonly replid: string | null;
  /** Node ids of its replicas; empty outside a cluster. */
  readonly replicaIds: readonly string[];
}

/** Nothing else may be under way on the connection. @throws FerryError when the node does not allow it. */
export async function introduce(
  connection: Connection,
  { clientName, fence, importSource, nodeId }: Introduction,
): Promise<NodeIdentity> {
  await connection.request(['CLIENT', 'SETNAME', clientName]);
  if (fence) await shutOutFormer(connection, clientName);
  if (importSource) await becomeImportSource(connection);
  return readIdentity(connection, nodeId);
}

/**
 * Ends what earlier connections of that name have left at the node: commands in a socket's buffer would still be executed,
 * in the middle of what is written now. @throws FerryError `fence` when the node does not allow it.
 */
async function shutOutFormer(connection: Connection, name: string): Promise<void> {
  const node = {
    address: connection.address,
    request: async (args: readonly string[]): Promise<string> => {
      const reply = await connection.request(args);
      if (reply.startsWith('-')) throw new Error(reply.slice(1));
      return reply.replace(/^[+:]/, '');
    },
  };
  await killFormerConnections(node, name, new Set([await ownConnectionId(node)]));
}

/** Asks the node who it is; a user that may not ask leaves it open. */
async function readIdentity(connection: Connection, nodeId: string | null): Promise<NodeIdentity> {
  const server = await connection.request(['INFO', 'server']);
  const replication = await connection.request(['INFO', 'replication']);
  const nodes = nodeId === null ? '' : await connection.request(['CLUSTER', 'NODES']);
  return {
    runId: /^run_id:(\w+)/m.exec(server)?.[1] ?? null,
    replid: /^master_replid:(\w+)/m.exec(replication)?.[1] ?? null,
    replicaIds: nodes.startsWith('-')
      ? []
      : parseClusterNodes(nodes)
          .filter(({ masterId }) => masterId !== null && masterId === nodeId)
          .map(({ id }) => id),
  };
}
