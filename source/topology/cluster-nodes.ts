// Parses CLUSTER NODES (Redis 3 and newer). One line a node:
//   id ip:port@busport[,hostname[,field=value...]] flags masterid ping pong epoch link slot slot ...
// Slots are `5`, `0-5460`, `[93->-nodeid]` (migrating) or `[93-<-nodeid]` (importing).
import { FerryError } from '../engine/errors.ts';
import type { ClusterNode, OpenSlot } from './cluster-node.ts';
import type { SlotRange } from './topology.ts';

/** Nodes that are not (any more) part of the cluster: no address, or only being greeted. */
const NOT_A_MEMBER = new Set(['noaddr', 'handshake']);

export function parseClusterNodes(text: string): readonly ClusterNode[] {
  const nodes: ClusterNode[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const node = parseLine(line.trim());
    if (node !== null) nodes.push(node);
  }
  return nodes;
}

function parseLine(line: string): ClusterNode | null {
  const [id, address, flagList, masterId, , , , , ...ranges] = line.split(' ');
  if (id === undefined || address === undefined || flagList === undefined || masterId === undefined) {
    throw new FerryError(`CLUSTER NODES has a line that cannot be read: ${line.slice(0, 120)}.`, { code: 'topology' });
  }
  const flags = new Set(flagList.split(','));
  if ([...flags].some((flag) => NOT_A_MEMBER.has(flag))) return null;
  const { host, port } = parseAddress(address, line);
  const master = flags.has('master');
  return {
    id,
    host,
    port,
    role: master ? 'master' : 'replica',
    masterId: master || masterId === '-' ? null : masterId,
    // `fail?` is one node's suspicion; the connection will tell.
    failed: flags.has('fail'),
    slots: ranges.map(parseRange).filter((range) => range !== null),
    openSlots: ranges.map(parseOpenSlot).filter((slot) => slot !== null),
  };
}

/** A host name was configured for clients to use, so it goes before the IP address. */
function parseAddress(text: string, line: string): { readonly host: string; readonly port: number } {
  const [before = '', hostname = ''] = text.split(',');
  const at = before.indexOf('@');
  const ipAndPort = at < 0 ? before : before.slice(0, at);
  const colon = ipAndPort.lastIndexOf(':');
  const port = Number(ipAndPort.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port) || port < 1) {
    throw new FerryError(`CLUSTER NODES has an address that cannot be read: ${line.slice(0, 120)}.`, {
      code: 'topology',
    });
  }
  const ip = ipAndPort.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host: hostname === '' || hostname === '?' ? ip : hostname, port };
}

function parseRange(text: string): SlotRange | null {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return null;
  const first = Number(match[1]);
  return { first, last: match[2] === undefined ? first : Number(match[2]) };
}

function parseOpenSlot(text: string): OpenSlot | null {
  const match = /^\[(\d+)-([<>])-(.+)\]$/.exec(text);
  if (match === null) return null;
  return { slot: Number(match[1]), direction: match[2] === '>' ? 'migrating' : 'importing', peer: match[3] ?? '' };
}
