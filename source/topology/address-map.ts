// Where an announced address is reached from here: the person's map for NAT and containers, else the address itself.
import { type Endpoint, formatAddress, type NodeAddress, parseNodeAddress } from './endpoint.ts';

/** The reachable address of an announced one. */
export function mapAddress(map: Endpoint['addressMap'], announced: NodeAddress): NodeAddress {
  const { host, port } = announced;
  const mapped = map[formatAddress({ host, port })];
  // The configuration has checked the map: what cannot be read is not there.
  return (mapped === undefined ? null : parseNodeAddress(mapped)) ?? { host, port };
}
