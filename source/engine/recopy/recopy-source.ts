// Asks a shard's source for values as they are, and for the replication offset at which they were so: one transaction
// answers both, so that the offset is exact (DUMP, expiry and ROLE between MULTI and EXEC; seen on 6.0 to 8.0, Valkey 9).
// A cluster takes one slot a transaction (getNodeByQuery, cluster.c), so that its groups have an offset each.
import type { Redis } from 'ioredis';
import { slotOf } from '../../protocol/slot.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import { FerryError, messageOf } from '../errors.ts';
import type { DatabaseKey } from './watched-keys.ts';

export interface FetchedKey {
  readonly key: Buffer;
  /** What DUMP gave; null when the key is not there. */
  readonly payload: Buffer | null;
  /** Unix ms, or -1. */
  readonly expiresAtMs: number;
}

export interface FetchedGroup<Key> {
  /** The values hold everything that the stream carries up to here, and nothing behind it. */
  readonly offset: number;
  readonly keys: readonly { readonly watched: Key; readonly fetched: FetchedKey }[];
}

export interface Fetched<Key> {
  /** By rising offset. */
  readonly groups: readonly FetchedGroup<Key>[];
  /** Values above the limit, with their size in the source's memory. */
  readonly tooBig: readonly { readonly key: Key; readonly bytes: number }[];
  /** For the next time: the batch was full. */
  readonly left: readonly Key[];
}

export interface RecopyOrigin {
  readonly endpoint: Endpoint;
  readonly version: ServerVersion;
  readonly cluster: boolean;
}

/** What is fetched at once; its values are held until the stream has come to their offset. */
const BATCH_BYTES = 8 * 1024 * 1024;

export class RecopySource {
  readonly #origin: RecopyOrigin;
  readonly #valueBytes: number;
  #connection: Redis | null = null;
  #connectedTo = '';
  #sizesKnown = true;

  /** @param valueBytes values above it are not fetched. */
  constructor(origin: RecopyOrigin, valueBytes: number) {
    this.#origin = origin;
    this.#valueBytes = valueBytes;
  }

  /**
   * Fetches what fits of these keys.
   * @param address the node that the stream comes from. @param replid the stream's history: another has other offsets.
   * @throws FerryError when the source can not be asked, or has begun another history.
   */
  async fetch<Key extends DatabaseKey>(
    address: NodeAddress,
    replid: string | null,
    keys: readonly Key[],
  ): Promise<Fetched<Key>> {
    const connection = await this.#connect(address);
    try {
      await this.#checkHistory(connection, replid);
      const sizes = await this.#sizesOf(connection, keys);
      const tooBig: { key: Key; bytes: number }[] = [];
      const chosen: Key[] = [];
      const left: Key[] = [];
      let bytes = 0;
      keys.forEach((key, index) => {
        const size = sizes[index] ?? 0;
        if (size > this.#valueBytes) tooBig.push({ key, bytes: size });
        else if (bytes > 0 && bytes + size > BATCH_BYTES) left.push(key);
        else {
          bytes += size;
          chosen.push(key);
        }
      });
      const groups = await Promise.all(this.#grouped(chosen).map((group) => this.#fetchGroup(connection, group)));
      await this.#checkHistory(connection, replid);
      return { groups: groups.flat().toSorted((a, b) => a.offset - b.offset), tooBig, left };
    } catch (thrown) {
      throw this.#failed(address, thrown);
    }
  }

  /**
   * All keys of these slots that the node has, and the offset at which it had them.
   * @throws FerryError as `fetch`.
   */
  async keysInSlots(
    address: NodeAddress,
    replid: string | null,
    slots: readonly number[],
  ): Promise<{ readonly keys: readonly DatabaseKey[]; readonly offset: number }> {
    const connection = await this.#connect(address);
    try {
      await this.#checkHistory(connection, replid);
      const { keysInSlots } = await import('./slot-keys.ts');
      const { keys, role } = await keysInSlots(connection, slots);
      await this.#checkHistory(connection, replid);
      return { keys, offset: offsetOf(role) };
    } catch (thrown) {
      throw this.#failed(address, thrown);
    }
  }

  #failed(address: NodeAddress, thrown: unknown): FerryError {
    this.close();
    if (thrown instanceof FerryError) return thrown;
    const message = `The source ${formatAddress(address)} could not be asked for values (${messageOf(thrown)}).`;
    return new FerryError(message, { code: 'unreachable', retriable: true, cause: thrown });
  }

  close(): void {
    this.#connection?.disconnect();
    this.#connection = null;
  }

  async #connect(address: NodeAddress): Promise<Redis> {
    const place = formatAddress(address);
    if (this.#connection !== null && this.#connectedTo === place && this.#connection.status === 'ready')
      return this.#connection;
    this.close();
    // Brings the client library into this thread, which most runs never need.
    const { openControl } = await import('../../topology/control-connection.ts');
    this.#connection = await openControl(this.#origin.endpoint, address, 'redferry:recopy');
    this.#connectedTo = place;
    // A replica that is read from sends its keys only to those who ask so.
    if (this.#origin.cluster) await this.#connection.readonly();
    return this.#connection;
  }

  /** Before and behind the transactions: offsets of another history would mean nothing here. */
  async #checkHistory(connection: Redis, replid: string | null): Promise<void> {
    const info = await connection.info('replication');
    const now = /^master_replid:(\w+)/m.exec(info)?.[1];
    if (replid === null || now === replid) return;
    throw new FerryError(`The source ${this.#connectedTo} has begun another history than its stream here.`, {
      code: 'recopy-history',
      retriable: true,
    });
  }

  /** Bytes in the source's memory; 0 where it does not say. */
  async #sizesOf(connection: Redis, keys: readonly DatabaseKey[]): Promise<readonly number[]> {
    if (!this.#sizesKnown) return [];
    const sizes: Promise<number>[] = [];
    let database = 0;
    const before: Promise<unknown>[] = [];
    for (const key of keys) {
      if (key.database !== database) before.push(connection.select(key.database));
      database = key.database;
      sizes.push(
        connection.memory('USAGE', key.key).then(
          (bytes) => bytes ?? 0,
          (thrown: unknown) => {
            if (/NOPERM|unknown command/i.test(messageOf(thrown))) this.#sizesKnown = false;
            return 0;
          },
        ),
      );
    }
    if (database !== 0) before.push(connection.select(0));
    await Promise.all(before);
    return Promise.all(sizes);
  }

  #grouped<Key extends DatabaseKey>(keys: readonly Key[]): readonly (readonly Key[])[] {
    if (!this.#origin.cluster) return keys.length === 0 ? [] : [keys];
    const groups = new Map<number, Key[]>();
    for (const key of keys) {
      const slot = slotOf(key.key, 0, key.key.length);
      const group = groups.get(slot);
      if (group === undefined) groups.set(slot, [key]);
      else group.push(key);
    }
    return [...groups.values()];
  }

  /**
   * Sent without waiting for the answers before it: the connection keeps their order. A key whose slot is on its way, or
   * with another node already, is not here any more: what the stream tells of it next is that it is deleted.
   */
  async #fetchGroup<Key extends DatabaseKey>(
    connection: Redis,
    keys: readonly Key[],
  ): Promise<readonly FetchedGroup<Key>[]> {
    const queued: Promise<unknown>[] = [connection.call('MULTI')];
    const expiries = this.#knowsExpireTime ? 'PEXPIRETIME' : 'PTTL';
    let database = 0;
    const answerAt: number[] = [];
    let commands = 0;
    for (const key of keys) {
      if (key.database !== database) {
        queued.push(connection.call('SELECT', key.database));
        commands++;
      }
      database = key.database;
      answerAt.push(commands);
      queued.push(connection.call('DUMP', key.key), connection.call(expiries, key.key));
      commands += 2;
    }
    // TIME answers what PTTL is counted from.
    queued.push(connection.call('TIME'), connection.call('ROLE'));
    const executed = connection.callBuffer('EXEC');
    if (database !== 0) queued.push(connection.call('SELECT', 0));
    const [exec, ...others] = await Promise.allSettled([executed, ...queued]);
    if (exec.status === 'rejected') {
      const refused = others.find((result) => result.status === 'rejected');
      const reason = messageOf(refused?.reason ?? exec.reason);
      if (!/^(MOVED|ASK|TRYAGAIN)/.test(reason)) throw new Error(reason);
      if (keys.length === 1) return [await goneKey(connection, keys[0] as Key)];
      // Keys that are still here share the refusal with those that are not.
      return (await Promise.all(keys.map((key) => this.#fetchGroup(connection, [key])))).flat();
    }
    const replies: unknown = exec.value;
    if (!Array.isArray(replies)) throw new Error('EXEC was answered without replies');
    const nowMs = timeOf(replies[commands]);
    const offset = offsetOf(replies[commands + 1]);
    const group = {
      offset,
      keys: keys.map((key, index) => {
        const at = answerAt[index] ?? 0;
        const payload: unknown = replies[at];
        const expiry = Number(replies[at + 1]);
        const expiresAtMs = expiry < 0 ? -1 : this.#knowsExpireTime ? expiry : nowMs + expiry;
        return {
          watched: key,
          fetched: { key: key.key, payload: Buffer.isBuffer(payload) ? payload : null, expiresAtMs },
        };
      }),
    };
    return [group];
  }

  /** PEXPIRETIME is of 7.0. */
  get #knowsExpireTime(): boolean {
    return this.#origin.version.product === 'Valkey' || this.#origin.version.major >= 7;
  }
}

async function goneKey<Key extends DatabaseKey>(connection: Redis, key: Key): Promise<FetchedGroup<Key>> {
  const fetched = { key: key.key, payload: null, expiresAtMs: -1 };
  return { offset: offsetOf(await connection.call('ROLE')), keys: [{ watched: key, fetched }] };
}

/** TIME: seconds and microseconds. */
function timeOf(reply: unknown): number {
  const [seconds, micros] = Array.isArray(reply) ? reply : [];
  return Number(String(seconds)) * 1000 + Math.floor(Number(String(micros)) / 1000);
}

/** ROLE: `master`, offset, replicas; or `slave`, host, port, state, offset. */
function offsetOf(reply: unknown): number {
  const fields: readonly unknown[] = Array.isArray(reply) ? reply : [];
  const offset = Number(String(String(fields[0]) === 'master' ? fields[1] : fields[4]));
  if (!(offset >= 0)) throw new Error('ROLE names no offset: its own link to its master is down');
  return offset;
}
