// Parses CLUSTER SHARDS (Redis 7.0 and newer, Valkey) as RESP2 gives it: an array of shards, each a flat list of names
// and values: slots [first, last, ...], nodes [[id, ..., port, ..., ip, ..., endpoint, ..., role, ..., health, ...]].
import { FerryError } from '../engine/errors.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { SlotRange } from './topology.ts';

/** `tls` takes each node's TLS port where it has one. Slots stand with the shard and are given to its working master. */
export function parseClusterShards(reply: unknown, tls: boolean): readonly ClusterNode[] {
  return listOf(reply).flatMap((shard) => parseShard(fieldsOf(shard), tls));
}

function parseShard(shard: ReadonlyMap<string, unknown>, tls: boolean): readonly ClusterNode[] {
  const slots = parseSlots(listOf(shard.get('slots') ?? []));
  const nodes = listOf(shard.get('nodes') ?? []).map((node) => parseNode(fieldsOf(node), tls));
  const masters = nodes.filter(({ role }) => role === 'master');
  // After a failover the old master may still be listed beside the new one.
  const owner = masters.find(({ failed }) => !failed) ?? masters[0];
  // A shard without any master still owns its slots: they must not look as if nobody had them.
  const holder = owner ?? nodes[0];
  return nodes.map((node) => ({
    ...node,
    failed: node.failed || (node === holder && owner === undefined),
    role: node === holder ? 'master' : node.role,
    slots: node === holder ? slots : [],
    masterId: node.role === 'replica' && owner !== undefined ? owner.id : null,
  }));
}

function parseNode(node: ReadonlyMap<string, unknown>, tls: boolean): ClusterNode {
  const port = numberOf(node.get('port'));
  const tlsPort = numberOf(node.get('tls-port'));
  const used = tls ? (tlsPort ?? port) : (port ?? tlsPort);
  if (used === null) throw new FerryError('CLUSTER SHARDS names a node without a port.', { code: 'topology' });
  return {
    id: textOf(node.get('id')),
    host: hostOf(node),
    port: used,
    role: textOf(node.get('role')) === 'master' ? 'master' : 'replica',
    masterId: null,
    failed: textOf(node.get('health')) !== 'online',
    slots: [],
    openSlots: [],
  };
}

/** `endpoint` is what cluster-preferred-endpoint-type chose; null or `?` where it has nothing to say. */
function hostOf(node: ReadonlyMap<string, unknown>): string {
  const endpoint = textOf(node.get('endpoint'));
  if (endpoint !== '' && endpoint !== '?') return endpoint;
  // A null endpoint means: the host that was asked (cluster-preferred-endpoint-type unknown-endpoint).
  return node.get('endpoint') === null ? '' : textOf(node.get('ip'));
}

function parseSlots(bounds: readonly unknown[]): readonly SlotRange[] {
  const ranges: SlotRange[] = [];
  for (let index = 0; index + 1 < bounds.length; index += 2) {
    const first = numberOf(bounds[index]);
    const last = numberOf(bounds[index + 1]);
    if (first !== null && last !== null) ranges.push({ first, last });
  }
  return ranges;
}

function fieldsOf(list: unknown): ReadonlyMap<string, unknown> {
  const flat = listOf(list);
  const fields = new Map<string, unknown>();
  for (let index = 0; index + 1 < flat.length; index += 2) fields.set(textOf(flat[index]), flat[index + 1]);
  return fields;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new FerryError('CLUSTER SHARDS was answered in a shape that is not known.', { code: 'topology' });
  }
  return value;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : '';
}

function numberOf(value: unknown): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : null;
}
