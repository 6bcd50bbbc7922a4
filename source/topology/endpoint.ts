// How a server is reached: plain data, made by the configuration, cloned into worker threads as it is.

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export interface Credentials {
  readonly username: string | null;
  readonly password: string | null;
}

export interface TlsSettings {
  /** PEM text of the certificate authority; null uses the system's. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** Name to verify and to send as SNI; null takes the host. */
  readonly serverName: string | null;
  /** false only when the person turned verification off. */
  readonly verify: boolean;
}

/** A server as the person named it; what it is (standalone, cluster) is found out by asking. */
export interface Endpoint {
  /** `redis` asks the nodes themselves, `sentinel` asks them for the master of `masterName`. */
  readonly scheme: 'redis' | 'sentinel';
  /** Tried in order until one answers. */
  readonly nodes: readonly NodeAddress[];
  readonly masterName: string | null;
  readonly credentials: Credentials;
  /** For the sentinels themselves. */
  readonly sentinelCredentials: Credentials;
  readonly tls: TlsSettings | null;
  /** Read from a replica of each master where there is one. */
  readonly preferReplica: boolean;
  /** For NAT: announced `host:port` to the one that is reachable from here. */
  readonly addressMap: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: NodeAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads `host:port` or `[v6]:port`; null when it is neither. */
export function parseNodeAddress(text: string): NodeAddress | null {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:@/[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const port = Number(match[3]);
  const host = match[1] ?? match[2] ?? '';
  return port >= 1 && port <= 65535 && host !== '' ? { host, port } : null;
}
