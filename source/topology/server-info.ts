// Reads INFO. Field names as in Redis 5 to 8 and Valkey 7.2 to 9.
import type { ServerVersion } from './topology.ts';

/** Keys of one database, as INFO keyspace counts them. */
export interface DatabaseKeys {
  readonly database: number;
  readonly keys: number;
}

/** A replica in the list that its master's INFO gives. */
export interface AttachedReplica {
  readonly host: string;
  readonly port: number;
  readonly online: boolean;
}

/** The fields of an INFO answer, asked by name. */
export class ServerInfo {
  readonly #fields = new Map<string, string>();

  constructor(text: string) {
    for (const line of text.split(/\r?\n/)) {
      const colon = line.indexOf(':');
      if (colon > 0 && !line.startsWith('#')) this.#fields.set(line.slice(0, colon), line.slice(colon + 1));
    }
  }

  text(field: string): string | null {
    return this.#fields.get(field) ?? null;
  }

  number(field: string): number | null {
    const value = this.#fields.get(field);
    if (value === undefined || value === '') return null;
    const number = Number(value);
    return Number.isNaN(number) ? null : number;
  }

  flag(field: string): boolean {
    return this.#fields.get(field) === '1';
  }

  /** Databases that hold keys, lowest first. */
  databases(): readonly DatabaseKeys[] {
    const found: DatabaseKeys[] = [];
    for (const [field, value] of this.#fields) {
      const database = /^db(\d+)$/.exec(field)?.[1];
      const keys = /keys=(\d+)/.exec(value)?.[1];
      if (database !== undefined && keys !== undefined) found.push({ database: Number(database), keys: Number(keys) });
    }
    return found.sort((a, b) => a.database - b.database);
  }

  /** What `slave0:ip=...,port=...,state=online,...` lists. One with port 0 cannot be reached, and is left out. */
  replicas(): readonly AttachedReplica[] {
    const found: AttachedReplica[] = [];
    for (const [field, value] of this.#fields) {
      if (!/^slave\d+$/.test(field)) continue;
      const parts = new Map(value.split(',').map((part) => splitOnce(part, '=')));
      const host = parts.get('ip') ?? '';
      const port = Number(parts.get('port') ?? 0);
      if (host === '' || port === 0) continue;
      found.push({ host, port, online: parts.get('state') === 'online' });
    }
    return found;
  }

  /** Valkey gives its own version beside a redis_version of 7.2.4. */
  version(): ServerVersion {
    const valkey = this.text('valkey_version');
    const product = valkey !== null || this.text('server_name') === 'valkey' ? 'Valkey' : 'Redis';
    const text = valkey ?? this.text('redis_version') ?? '0.0.0';
    const [major = 0, minor = 0, patch = 0] = text.split('.').map((part) => Number.parseInt(part, 10) || 0);
    return { product, major, minor, patch, text: `${product} ${text}` };
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
