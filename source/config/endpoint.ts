// From the settings of one side to the endpoint the engine uses: its address, its credentials, the certificates from
// their files.
import { readFileSync } from 'node:fs';
import type { Credentials, Endpoint, TlsSettings } from '../topology/endpoint.ts';
import { type AddressParts, parseAddress } from './address.ts';
import { configError } from './config-error.ts';
import { reasonOf } from './load.ts';
import type { SourceSettings, TargetSettings } from './schema.ts';

/**
 * Username and password of the settings go before those in the address. Credentials in a sentinel address are the
 * server's; the sentinels have their own settings.
 * @throws FerryError `config` with one sentence.
 */
export function toEndpoint(settings: SourceSettings | TargetSettings): Endpoint {
  const parts = parseAddress(settings.address);
  return {
    scheme: parts.scheme,
    nodes: parts.nodes,
    masterName: parts.masterName,
    credentials: {
      username: (settings.username ?? parts.username) || null,
      password: (settings.password ?? parts.password) || null,
    },
    sentinelCredentials: credentialsOf(settings.sentinel),
    tls: tlsOf(settings.tls, parts),
    preferReplica: 'preferReplica' in settings && settings.preferReplica,
    addressMap: settings.addressMap,
    connectTimeoutMs: settings.connectTimeoutMs,
  };
}

function credentialsOf({ username, password }: SourceSettings['sentinel']): Credentials {
  return { username: username || null, password: password || null };
}

/** A tls section turns TLS on whatever the scheme says. */
function tlsOf(tls: SourceSettings['tls'], parts: AddressParts): TlsSettings | null {
  if (tls === undefined) return parts.tls ? { ca: null, cert: null, key: null, serverName: null, verify: true } : null;
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw configError('tls.certFile and tls.keyFile belong together: set both or neither.');
  }
  return {
    ca: readPem('caFile', tls.caFile),
    cert: readPem('certFile', tls.certFile),
    key: readPem('keyFile', tls.keyFile),
    serverName: tls.serverName ?? null,
    verify: tls.verify,
  };
}

function readPem(setting: string, file: string | undefined): string | null {
  if (file === undefined) return null;
  try {
    return readFileSync(file, 'utf8');
  } catch (thrown) {
    throw configError(`tls.${setting}: ${file} cannot be read: ${reasonOf(thrown)}.`);
  }
}
