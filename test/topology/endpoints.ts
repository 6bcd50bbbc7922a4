// Endpoints for tests, without a configuration.
import type { Endpoint, NodeAddress } from '../../source/topology/endpoint.ts';

/** One node, no credentials, short patience; `changes` say otherwise. */
export function endpointOf(node: NodeAddress, changes: Partial<Endpoint> = {}): Endpoint {
  return {
    scheme: 'redis',
    nodes: [{ host: node.host, port: node.port }],
    masterName: null,
    credentials: { username: null, password: null },
    sentinelCredentials: { username: null, password: null },
    tls: null,
    preferReplica: false,
    addressMap: {},
    connectTimeoutMs: 3000,
    ...changes,
  };
}
