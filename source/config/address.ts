// Reads the addresses people write: redis://user:pass@host:port, rediss://, redis-sentinel://h1,h2/name, host:port, a
// bare host, [::1]:6379, several nodes with commas; and files: rdb:FILE, aof:PATH, jsonl:FILE. Not the URL class: it
// knows neither several hosts nor sentinels. No message repeats credentials.
import { isIPv6 } from 'node:net';
import { type NodeAddress, parseNodeAddress } from '../topology/endpoint.ts';
import { configError } from './config-error.ts';

export interface AddressParts {
  readonly scheme: 'redis' | 'sentinel';
  readonly tls: boolean;
  readonly nodes: readonly NodeAddress[];
  readonly masterName: string | null;
  readonly username: string | null;
  readonly password: string | null;
}

export type FileFormat = 'rdb' | 'aof' | 'jsonl';

export interface FileAddress {
  readonly format: FileFormat;
  /** As written, patterns among them; `-` is standard input. At least one. */
  readonly paths: readonly string[];
}

export const STANDARD_STREAM = '-';

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;
const SCHEME = /^[A-Za-z][\w+.-]*:\/\//;
const FILE_ADDRESS = /^(rdb|aof|jsonl):(.*)$/is;
/** Signs of a pattern for file names. Braces are none: a comma parts two names. */
const PATTERN_SIGNS = /[*?[\]]/;

const SCHEMES: Readonly<Record<string, Pick<AddressParts, 'scheme' | 'tls'>>> = {
  redis: { scheme: 'redis', tls: false },
  rediss: { scheme: 'redis', tls: true },
  valkey: { scheme: 'redis', tls: false },
  valkeys: { scheme: 'redis', tls: true },
  'redis-sentinel': { scheme: 'sentinel', tls: false },
  'rediss-sentinel': { scheme: 'sentinel', tls: true },
};

/** @throws FerryError `config` with one sentence. */
export function parseAddress(text: string): AddressParts {
  const shown = describeAddress(text);
  if (FILE_ADDRESS.test(text)) {
    throw configError(`${shown} names a file, where a running server is needed; write redis://HOST:PORT.`);
  }
  if (/^unix:|^\//i.test(text)) throw configError(`${shown}: unix sockets are not built yet; write HOST:PORT.`);
  const [, schemeName = 'redis', rest = text] = /^([A-Za-z][\w+.-]*):\/\/(.*)$/s.exec(text) ?? [];
  const scheme = SCHEMES[schemeName.toLowerCase()];
  if (scheme === undefined) {
    throw configError(`${shown}: the scheme ${schemeName} is not known; there are redis, rediss and redis-sentinel.`);
  }
  const { credentials, place } = splitCredentials(rest);
  const { hosts, path } = splitPath(place, shown);
  const nodes = hosts.split(',').map((host) => parseHost(host.trim(), scheme.scheme, shown));
  return { ...scheme, nodes, masterName: masterNameOf(scheme.scheme, path, shown), ...decode(credentials, shown) };
}

/**
 * rdb:FILE[,FILE...], aof:PATH, jsonl:FILE, `-` for standard input; null for the address of a server. Nothing is looked
 * up: whether the files are there shows when they are opened.
 * @throws FerryError `config` with one sentence.
 */
export function parseFileAddress(text: string): FileAddress | null {
  const [, scheme, rest = ''] = FILE_ADDRESS.exec(text) ?? [];
  if (scheme === undefined) return null;
  const format = scheme.toLowerCase() as FileFormat;
  if (rest.startsWith('//')) {
    throw configError(`${text}: a file's path follows the colon at once, without //: ${format}:PATH.`);
  }
  const paths = format === 'rdb' ? rest.split(',') : [rest];
  if (paths.includes('')) throw configError(`${text}: the name of a file is missing; write ${format}:PATH.`);
  if (paths.length > 1 && paths.includes(STANDARD_STREAM)) {
    throw configError(`${text}: - is standard input and stands alone.`);
  }
  return { format, paths };
}

/** The one file that a target names. @throws FerryError `config` with one sentence. */
export function targetPathOf({ format, paths }: FileAddress): string {
  const [path = '', ...more] = paths;
  const shown = `${format}:${paths.join(',')}`;
  if (more.length > 0) throw configError(`${shown}: a target is one file; leave the others out.`);
  if (path === STANDARD_STREAM) {
    throw configError(`${shown}: writing to standard output is not built; name a file.`);
  }
  if (hasPattern(path)) throw configError(`${shown}: a target is one file, not a pattern for several.`);
  return path;
}

/** Whether the path may stand for several files. */
export function hasPattern(path: string): boolean {
  return PATTERN_SIGNS.test(path);
}

/** The password as it stands in an address, not decoded; null when there is none. Never throws. */
export function passwordIn(text: string): string | null {
  if (FILE_ADDRESS.test(text)) return null;
  const { credentials } = splitCredentials(text.replace(SCHEME, ''));
  const colon = credentials?.indexOf(':') ?? -1;
  return credentials === null || colon < 0 ? null : credentials.slice(colon + 1) || null;
}

/** The address for people: without credentials and without what follows a `?`. Never throws. */
export function describeAddress(text: string): string {
  if (FILE_ADDRESS.test(text)) return text;
  const scheme = SCHEME.exec(text)?.[0] ?? '';
  return scheme + splitCredentials(text.slice(scheme.length)).place.replace(/\?.*$/s, '?...');
}

/** A password may contain @ and /: the last @ ends the credentials. */
function splitCredentials(rest: string): { readonly credentials: string | null; readonly place: string } {
  const at = rest.lastIndexOf('@');
  return at < 0 ? { credentials: null, place: rest } : { credentials: rest.slice(0, at), place: rest.slice(at + 1) };
}

function splitPath(place: string, shown: string): { readonly hosts: string; readonly path: string } {
  if (place.includes('?')) {
    throw configError(`${shown}: options after ? are not known here; the configuration file has settings for them.`);
  }
  const slash = place.indexOf('/');
  return slash < 0 ? { hosts: place, path: '' } : { hosts: place.slice(0, slash), path: place.slice(slash + 1) };
}

function masterNameOf(scheme: AddressParts['scheme'], path: string, shown: string): string | null {
  if (scheme === 'sentinel') {
    if (path === '') throw configError(`${shown}: the name of the master is missing: redis-sentinel://HOST:PORT/NAME.`);
    return path;
  }
  if (path === '') return null;
  throw configError(
    /^\d+$/.test(path)
      ? `${shown}: an address names no database, since all databases are copied; leave /${path} out.`
      : `${shown}: /${path} after the port means nothing; leave it out.`,
  );
}

function parseHost(text: string, scheme: AddressParts['scheme'], shown: string): NodeAddress {
  const defaultPort = scheme === 'sentinel' ? SENTINEL_PORT : REDIS_PORT;
  if (isIPv6(text)) return { host: text, port: defaultPort };
  const bare = /^\[(.+)\]$/.exec(text)?.[1];
  if (bare !== undefined && isIPv6(bare)) return { host: bare, port: defaultPort };
  const node = parseNodeAddress(text);
  if (node !== null && /^[\w.-]+$|:/.test(node.host)) return node;
  if (/^[\w.-]+$/.test(text)) return { host: text, port: defaultPort };
  throw configError(
    text === ''
      ? `${shown === '' ? 'The address' : shown}: there is no host in it; write HOST:PORT.`
      : `${shown}: ${text} is not HOST:PORT (a port is 1 to 65535, an IPv6 address stands in brackets).`,
  );
}

function decode(credentials: string | null, shown: string): Pick<AddressParts, 'username' | 'password'> {
  if (credentials === null) return { username: null, password: null };
  const colon = credentials.indexOf(':');
  const [username, password] =
    colon < 0 ? [credentials, ''] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
  try {
    return { username: decodeURIComponent(username) || null, password: decodeURIComponent(password) || null };
  } catch {
    throw configError(`${shown}: user name or password has a % that is no code; write %25 for the sign itself.`);
  }
}
