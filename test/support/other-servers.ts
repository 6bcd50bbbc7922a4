// The servers of other versions that scripts/fetch-servers.mjs has unpacked, beside the one of this machine. What is not
// there is left out, with one line.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { serverBinary } from '../../source/demo/server-process.ts';

const cache = process.env['REDFERRY_CACHE'] ?? fileURLToPath(new URL('../../.cache/servers', import.meta.url));

export interface ServerKind {
  /** `redis-6.0` */
  readonly label: string;
  readonly binary: string;
}

const FETCHED: readonly ServerKind[] = [
  { label: 'redis-6.0', binary: `${cache}/redis-6.0/redis-server` },
  { label: 'redis-8.0', binary: `${cache}/redis-8.0/redis-server` },
  { label: 'valkey-8.1', binary: `${cache}/valkey-8.1/valkey-server` },
  { label: 'valkey-9', binary: `${cache}/valkey-9/valkey-server` },
];

/** This machine's own server first. */
export const SERVER_KINDS: readonly ServerKind[] = [
  { label: 'own', binary: serverBinary(undefined) },
  ...FETCHED.filter(({ binary }) => existsSync(binary)),
];

const absent = FETCHED.filter(({ binary }) => !existsSync(binary)).map(({ label }) => label);
if (absent.length > 0) console.log(`without ${absent.join(', ')}: node scripts/fetch-servers.mjs unpacks them`);
