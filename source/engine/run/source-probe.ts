// Watches one source node from beside the link, read-only: how far its history has come (for the lag), what keeps it
// from making a snapshot, how its keyspace notifications are set. Fields: INFO of Redis 6.0 to 8.0 and Valkey 8 and 9.
import type { Redis } from 'ioredis';
import { openControl } from '../../topology/control-connection.ts';
import type { Endpoint, NodeAddress } from '../../topology/endpoint.ts';
import type { ShardState } from '../contract/shard-snapshot.ts';
import { steadyMs } from '../steady-clock.ts';
import { parseBufferLimits, type ReplicaBufferLimits } from './pause-budget.ts';

const PROBE_MS = 1000;
/** A connection over which INFO takes longer is given up: it may be half-open, and the next one tells more. */
const ANSWER_MS = 5000;
/** A setting changes seldom; the source need not be asked for it every second. */
const SETTINGS_EVERY = 10;

export interface SourceFacts {
  /** master_repl_offset and when it was read, by steadyMs. */
  readonly offset: number | null;
  readonly readAtMs: number;
  readonly savingSnapshot: boolean;
  readonly rewritingAof: boolean;
  readonly loading: boolean;
  /** How the source sees us: wait_bgsave, send_bulk, online; null when it does not list us. */
  readonly replicaState: string | null;
  /** Keys written to the snapshot under way and how many there are; null before Redis 7.0. */
  readonly savedKeys: number | null;
  readonly keysToSave: number | null;
}

export class SourceProbe {
  facts: SourceFacts | null = null;
  /** notify-keyspace-events; null while unknown or not readable. */
  keyspaceEvents: string | null = null;
  /** What the source may hold for a replica; null while unknown or not readable. */
  bufferLimits: ReplicaBufferLimits | null = null;
  readonly #source: Endpoint;
  readonly #address: NodeAddress;
  readonly #onFacts: (facts: SourceFacts) => void;
  #connection: Redis | null = null;
  #timer: NodeJS.Timeout | null = null;
  #rounds = 0;
  #stopped = false;

  constructor(source: Endpoint, address: NodeAddress, onFacts: (facts: SourceFacts) => void) {
    this.#source = source;
    this.#address = address;
    this.#onFacts = onFacts;
  }

  start(): void {
    void this.#round();
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#connection?.disconnect();
  }

  /** One look. A source that can not be asked is no error here: the link says what is wrong with it. */
  async #round(): Promise<void> {
    try {
      this.#connection ??= await openControl(this.#source, this.#address, 'redferry:probe');
      if (this.#stopped) {
        this.#connection.disconnect();
        return;
      }
      this.facts = parseFacts(await inTime(this.#connection.info()), steadyMs());
      if (this.#rounds++ % SETTINGS_EVERY === 0) await this.#readSettings(this.#connection);
      this.#onFacts(this.facts);
    } catch {
      this.#connection?.disconnect();
      this.#connection = null;
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#round(), PROBE_MS);
  }

  async #readSettings(connection: Redis): Promise<void> {
    this.keyspaceEvents = await settingOf(connection, 'notify-keyspace-events');
    const limits = await settingOf(connection, 'client-output-buffer-limit');
    this.bufferLimits = limits === null ? null : parseBufferLimits(limits);
  }
}

/** null where it can not be read. */
async function settingOf(connection: Redis, name: string): Promise<string | null> {
  try {
    const reply = (await connection.config('GET', name)) as readonly string[];
    return reply[1] ?? null;
  } catch {
    return null;
  }
}

/** @throws Error when the answer does not come within ANSWER_MS. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), ANSWER_MS);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the fields above out of INFO's text. */
export function parseFacts(info: string, nowMs: number): SourceFacts {
  const field = (name: string): string | null => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? null;
  const number = (name: string): number | null => {
    const value = field(name);
    return value === null ? null : Number(value);
  };
  // Our port is 0 in the source's list: no other replica's is.
  const ourselves = /^slave\d+:ip=[^,]*,port=0,state=([a-z_]+)/m.exec(info);
  return {
    offset: number('master_repl_offset'),
    readAtMs: nowMs,
    savingSnapshot: field('rdb_bgsave_in_progress') === '1',
    rewritingAof: field('aof_rewrite_in_progress') === '1',
    loading: field('loading') === '1',
    replicaState: ourselves?.[1] ?? null,
    savedKeys: number('current_save_keys_processed'),
    keysToSave: number('current_save_keys_total'),
  };
}

/** Why the snapshot has not come yet, as one sentence; null when the facts do not tell. */
export function explainWait(state: ShardState, facts: SourceFacts | null): string | null {
  if (facts === null || state !== 'waiting-snapshot') return null;
  if (facts.loading) return 'the source is loading its data set';
  if (facts.rewritingAof) return 'the source is rewriting its AOF and makes the snapshot after that';
  if (facts.savingSnapshot && facts.replicaState === 'wait_bgsave' && (facts.keysToSave ?? 0) > 0) {
    return `the source writes a snapshot: ${facts.savedKeys} of ${facts.keysToSave} keys`;
  }
  if (facts.savingSnapshot) return 'the source is busy with a BGSAVE and makes ours with or after it';
  if (facts.replicaState === 'wait_bgsave') {
    return 'the source waits for its diskless delay (repl-diskless-sync-delay) before it begins';
  }
  return null;
}
