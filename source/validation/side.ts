// One side of a comparison: its nodes, which of them holds a key, which databases there are, and what its version can
// tell about expiries. It only reads.

import type { TlsSettings } from '../topology/endpoint.ts';
import type { SlotRange } from '../topology/topology.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { DatabaseNumbers } from './database-numbers.ts';
import { keySlot } from './key-slot.ts';
import { type Reply, ReplyError } from './resp-reader.ts';

export interface CompareSide {
  /** All masters, or a replica in the place of one. `slots` where they are known: else the cluster is asked for them. */
  readonly addresses: readonly NodePlace[];
  readonly cluster: boolean;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls?: TlsSettings | null | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** What CLIENT LIST shows of the connections. */
  readonly name?: string | undefined;
  /** Of the target: databases of the source that have another number there. */
  readonly databases?: DatabaseNumbers | undefined;
}

export interface NodePlace {
  readonly host: string;
  readonly port: number;
  readonly slots?: readonly SlotRange[] | undefined;
}

export interface Side {
  readonly description: CompareSide;
  readonly nodes: readonly Connection[];
  readonly cluster: boolean;
  /** Every node answers PEXPIRETIME (7.0): expiries are exact. */
  readonly exactExpiry: boolean;
  /** Every node answers HPEXPIRETIME (Redis 7.4, Valkey 9): hash fields may expire. */
  readonly fieldExpiry: boolean;
  /** Expiries of a target that a run holds while it lasts: they were taken for what they will be at its end. */
  readonly held: { count: number };
  nodeOf(key: Buffer): Connection;
  /** The number of that node in `nodes`. */
  numberOf(key: Buffer): number;
  /** Databases that hold keys, with the number of them. */
  databases(): Promise<Map<number, number>>;
  close(): void;
}

/** Connects to every address of a side. Closes what it opened when one of them fails. */
export async function openSide(description: CompareSide): Promise<Side> {
  const opened = await Promise.allSettled(
    description.addresses.map((address) => Connection.open(connectionOptions(description, address))),
  );
  const nodes: Connection[] = [];
  let failure: Error | null = null;
  for (const result of opened) {
    if (result.status === 'fulfilled') nodes.push(result.value);
    else failure ??= result.reason instanceof Error ? result.reason : new Error(String(result.reason));
  }
  const close = (): void => {
    for (const node of nodes) node.close();
  };
  try {
    if (failure !== null) throw failure;
    const first = nodes[0];
    if (first === undefined) throw new Error('a side of a comparison needs at least one address');
    const owners = description.cluster ? await ownersOf(description, nodes) : null;
    const numberOf = (key: Buffer): number => {
      if (owners === null) return 0;
      const slot = keySlot(key);
      const owner = owners[slot];
      if (owner === undefined) throw new Error(`no node that was named holds slot ${slot}`);
      return owner;
    };
    return {
      description,
      nodes,
      cluster: description.cluster,
      exactExpiry: await allKnow(nodes, 'pexpiretime'),
      fieldExpiry: await allKnow(nodes, 'hpexpiretime'),
      held: { count: 0 },
      numberOf,
      nodeOf: (key) => nodes[numberOf(key)] ?? first,
      databases: () => readDatabases(nodes),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

export function connectionOptions(description: CompareSide, { host, port }: NodePlace): ConnectionOptions {
  const { username, password, tls, connectTimeoutMs, name } = description;
  return { host, port, username, password, tls, connectTimeoutMs, name };
}

/** Slot -> number of the node. */
async function ownersOf(description: CompareSide, nodes: readonly Connection[]): Promise<number[]> {
  const owners: number[] = [];
  for (const [number, { slots }] of description.addresses.entries()) {
    for (const { first, last } of slots ?? []) for (let slot = first; slot <= last; slot++) owners[slot] = number;
  }
  if (owners.length === 0) return askForOwners(nodes);
  // A replica answers for its master's slots only when told that old values will do; a master says OK too.
  for (const node of nodes) await node.call(['READONLY']);
  return owners;
}

/** By node id, because announced addresses need not be the ones we can reach. */
async function askForOwners(nodes: readonly Connection[]): Promise<number[]> {
  const byId = new Map<string, number>();
  for (const [number, node] of nodes.entries()) byId.set(text(await node.call(['CLUSTER', 'MYID'])), number);
  const owners: number[] = [];
  const ranges = await nodes[0]?.call(['CLUSTER', 'SLOTS']);
  for (const range of list(ranges ?? null)) {
    const [from, to, master] = list(range);
    const owner = byId.get(text(list(master ?? null)[2] ?? null));
    if (owner === undefined || typeof from !== 'number' || typeof to !== 'number') continue;
    for (let slot = from; slot <= to; slot++) owners[slot] = owner;
  }
  return owners;
}

async function allKnow(nodes: readonly Connection[], command: string): Promise<boolean> {
  for (const node of nodes) {
    const [known] = list(await node.call(['COMMAND', 'INFO', command]));
    if (known === null || known === undefined || list(known).length === 0) return false;
  }
  return true;
}

async function readDatabases(nodes: readonly Connection[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const node of nodes) {
    const keyspace = text(await node.call(['INFO', 'keyspace']));
    for (const [, database, keys] of keyspace.matchAll(/^db(\d+):keys=(\d+)/gm)) {
      found.set(Number(database), (found.get(Number(database)) ?? 0) + Number(keys));
    }
  }
  return found;
}

/** The reply as an array; anything else, a null too, is an empty one. An error reply throws. */
export function list(reply: Reply): Reply[] {
  if (reply instanceof ReplyError) throw reply;
  return Array.isArray(reply) ? reply : [];
}

/** The reply as text; bytes that are no UTF-8 stay apart from each other. */
export function text(reply: Reply): string {
  if (reply instanceof ReplyError) throw reply;
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply);
}

/** The reply as a number. An error reply throws. */
export function count(reply: Reply | undefined): number {
  if (reply instanceof ReplyError) throw reply;
  return typeof reply === 'number' ? reply : Number(text(reply ?? null));
}
