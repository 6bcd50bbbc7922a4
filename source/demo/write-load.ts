// Gentle live writes on the demo's source: every command family on keys of its own, and plain overwrites, deletions and
// expiries on the sample's keys. Paced by the clock and bounded: a node that does not answer gets nothing more.

import type { Command, Connection } from '../validation/connection.ts';
import { type Reply, ReplyError } from '../validation/resp-reader.ts';
import { list, openSide, type Side } from '../validation/side.ts';
import { LOAD_OPERATIONS, type LoadContext, type LoadOperation } from './load-commands.ts';
import { createRandom, type Random } from './random.ts';
import { databaseOf, type NodeAddress, sampleKey } from './sample-data.ts';

export interface LoadOptions {
  readonly cluster: boolean;
  /** Commands a second, over all nodes. */
  readonly ratePerSecond: number;
  readonly seed: number;
  /** How many sample keys there are, as `fillSample` was told; 0 leaves them alone. */
  readonly keys: number;
  /** The seed the sample was filled with; the load's own when absent. */
  readonly sampleSeed?: number;
  readonly databases?: readonly number[];
  readonly password?: string;
}

export interface LoadStats {
  readonly commands: number;
  /** Commands a node refused; 0 unless something is wrong with it. */
  readonly errors: number;
  readonly lastError: string | null;
  readonly seconds: number;
  /** How often each operation was sent. */
  readonly operations: ReadonlyMap<string, number>;
}

export interface WriteLoad {
  stats(): LoadStats;
  /** No more writes; resolves when every reply is there. */
  stop(): Promise<LoadStats>;
}

const TICK_MS = 20;
/** After a pause of the machine the load does not make up for more than this. */
const CATCH_UP_MS = 200;
const BATCHES_AT_ONCE = 4;
/** Hash tags, and so keys of each family, in each database. */
const NUMBERS = 200;
const SAMPLE_SHARE = 0.2;
const STREAM_IDS_KEPT = 20;
const NEVER_AN_ID = '1-1';

/** Connects and begins to write. Throws when a node cannot be reached. */
export async function startLoad(nodes: readonly NodeAddress[], options: LoadOptions): Promise<WriteLoad> {
  const side = await openSide({ addresses: nodes, cluster: options.cluster, password: options.password });
  try {
    const load = new Load(side, options, await knownOperations(side));
    await load.createGroups();
    load.start();
    return { stats: () => load.stats(), stop: () => load.stop() };
  } catch (error) {
    side.close();
    throw error;
  }
}

async function knownOperations(side: Side): Promise<LoadOperation[]> {
  const needed = [...new Set(LOAD_OPERATIONS.flatMap((operation) => operation.needs ?? []))];
  const unknown = new Set<string>();
  for (const node of side.nodes) {
    const replies = list(await node.call(['COMMAND', 'INFO', ...needed]));
    for (const [index, name] of needed.entries()) if (list(replies[index] ?? null).length === 0) unknown.add(name);
  }
  return LOAD_OPERATIONS.filter((operation) => operation.needs === undefined || !unknown.has(operation.needs));
}

interface Batch {
  readonly node: Connection;
  readonly database: number;
  readonly commands: Command[];
  /** Streams whose new ids are to be remembered, by the place of their XADD. */
  readonly adds: Map<number, string>;
}

class Load {
  readonly #side: Side;
  readonly #options: LoadOptions;
  readonly #operations: readonly LoadOperation[];
  readonly #random: Random;
  readonly #databases: readonly number[];
  readonly #sent = new Set<Promise<void>>();
  readonly #onWire = new Map<Connection, number>();
  readonly #streamIds = new Map<string, string[]>();
  readonly #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #startedAt = performance.now();
  #lastTick = performance.now();
  #endedAt: number | null = null;
  #owed = 0;
  #commands = 0;
  #errors = 0;
  #lastError: string | null = null;

  constructor(side: Side, options: LoadOptions, operations: readonly LoadOperation[]) {
    this.#side = side;
    this.#options = options;
    this.#operations = operations;
    this.#random = createRandom(options.seed);
    this.#databases = options.cluster ? [0] : (options.databases ?? [0]);
  }

  /** The streams' groups, before anything reads by them. They may be there from an earlier load. */
  async createGroups(): Promise<void> {
    for (const database of this.#databases) {
      for (let number = 0; number < NUMBERS; number++) {
        const key = loadKey('stream', number);
        const replies = await this.#side.nodeOf(Buffer.from(key)).batch(
          ['g', 'h'].map((group) => ['XGROUP', 'CREATE', key, group, '0', 'MKSTREAM']),
          database,
        );
        for (const reply of replies) {
          if (reply instanceof ReplyError && !reply.message.startsWith('BUSYGROUP')) throw reply;
        }
      }
    }
  }

  start(): void {
    this.#startedAt = performance.now();
    this.#lastTick = this.#startedAt;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stats(): LoadStats {
    return {
      commands: this.#commands,
      errors: this.#errors,
      lastError: this.#lastError,
      seconds: ((this.#endedAt ?? performance.now()) - this.#startedAt) / 1000,
      operations: new Map(this.#counts),
    };
  }

  async stop(): Promise<LoadStats> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await Promise.all(this.#sent);
    this.#endedAt ??= performance.now();
    this.#side.close();
    return this.stats();
  }

  #tick(): void {
    const now = performance.now();
    const passedMs = Math.min(now - this.#lastTick, CATCH_UP_MS);
    this.#lastTick = now;
    this.#owed += (passedMs / 1000) * this.#options.ratePerSecond;
    const batches = new Map<string, Batch>();
    while (this.#owed >= 1) this.#owed -= this.#writeOne(batches);
    for (const batch of batches.values()) this.#send(batch);
  }

  /** Adds one operation to the batch of its node; answers how many commands it was. */
  #writeOne(batches: Map<string, Batch>): number {
    const sample = this.#options.keys > 0 && this.#random.next() < SAMPLE_SHARE;
    const { name, key, database, commands } = sample ? this.#onSample() : this.#onOwnKeys();
    const node = this.#side.nodeOf(key);
    if ((this.#onWire.get(node) ?? 0) >= BATCHES_AT_ONCE) return Math.max(1, commands.length);
    const batchName = `${node.address}/${database}`;
    const batch: Batch = batches.get(batchName) ?? { node, database, commands: [], adds: new Map() };
    batches.set(batchName, batch);
    for (const command of commands) {
      if (command[0] === 'XADD') batch.adds.set(batch.commands.length, `${database}/${String(command[1])}`);
      batch.commands.push(command);
    }
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    return Math.max(1, commands.length);
  }

  #onOwnKeys(): { name: string; key: Buffer; database: number; commands: readonly Command[] } {
    const random = this.#random;
    const number = random.between(0, NUMBERS);
    const place = random.between(0, this.#databases.length);
    const database = this.#databases[place] ?? 0;
    const others = this.#databases.length < 2 ? null : (this.#databases[(place + 1) % this.#databases.length] ?? null);
    const context: LoadContext = {
      random,
      key: (family, suffix) => loadKey(family, number, suffix),
      streamId: () => this.#someStreamId(`${database}/${loadKey('stream', number)}`),
      otherDatabase: others,
    };
    const operation = this.#operations[random.between(0, this.#operations.length)];
    if (operation === undefined) throw new Error('there is no operation for the load');
    const key = Buffer.from(loadKey('any', number));
    return { name: operation.name, key, database, commands: operation.commands(context) };
  }

  /** Only what works on a key of any type. */
  #onSample(): { name: string; key: Buffer; database: number; commands: readonly Command[] } {
    const random = this.#random;
    const { keys, cluster, seed, sampleSeed } = this.#options;
    const index = random.between(0, keys);
    const sample = { keys, cluster, seed: sampleSeed ?? seed, databases: this.#databases };
    const key = sampleKey(index, sample);
    const database = databaseOf(index, sample);
    const choices: [Command, ...Command[]] = [
      ['SET', key, `overwritten ${random.between(0, 1e9)}`],
      ['SET', key, 'overwritten', 'PX', random.between(60_000, 3_600_000)],
      ['DEL', key],
      ['UNLINK', key],
      ['PEXPIRE', key, random.between(60_000, 3_600_000)],
      ['PERSIST', key],
    ];
    const command = random.pick(choices);
    return { name: `sample ${String(command[0]).toLowerCase()}`, key, database, commands: [command] };
  }

  #send({ node, database, commands, adds }: Batch): void {
    this.#onWire.set(node, (this.#onWire.get(node) ?? 0) + 1);
    const sending: Promise<void> = node
      .batch(commands, database)
      .then((replies) => {
        this.#commands += replies.length;
        for (const [index, reply] of replies.entries()) this.#check(reply, commands[index]);
        for (const [index, stream] of adds) this.#rememberId(stream, replies[index]);
      })
      .catch((error: unknown) => {
        this.#errors += commands.length;
        this.#lastError = error instanceof Error ? error.message : String(error);
      })
      .finally(() => {
        this.#sent.delete(sending);
        this.#onWire.set(node, (this.#onWire.get(node) ?? 1) - 1);
      });
    this.#sent.add(sending);
  }

  /** EXEC answers the errors of its commands inside its array. */
  #check(reply: Reply, command: Command | undefined): void {
    if (reply instanceof ReplyError) {
      this.#errors += 1;
      this.#lastError = `${command?.map(String).join(' ')}: ${reply.message}`;
    } else if (command?.[0] === 'EXEC') {
      for (const inner of list(reply)) this.#check(inner, undefined);
    }
  }

  #rememberId(stream: string, reply: Reply | undefined): void {
    if (!Buffer.isBuffer(reply)) return;
    const ids = this.#streamIds.get(stream) ?? [];
    ids.push(reply.toString());
    if (ids.length > STREAM_IDS_KEPT) ids.shift();
    this.#streamIds.set(stream, ids);
  }

  #someStreamId(stream: string): string {
    const ids = this.#streamIds.get(stream) ?? [];
    return ids[this.#random.between(0, ids.length)] ?? NEVER_AN_ID;
  }
}

function loadKey(family: string, number: number, suffix?: string): string {
  return suffix === undefined ? `load:${family}:{${number}}` : `load:${family}:{${number}}:${suffix}`;
}
