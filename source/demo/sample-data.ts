// Fills the demo's source with keys of every type and encoding, the same ones for the same seed. Fast: batches of many
// keys, a few on the wire at once for each node.

import type { Argument, Command, Connection } from '../validation/connection.ts';
import { ReplyError } from '../validation/resp-reader.ts';
import { list, openSide, type Side } from '../validation/side.ts';
import { createRandom, type Random } from './random.ts';
import { type Abilities, GIANTS, KINDS, type Maker } from './sample-kinds.ts';

export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

export interface SampleOptions {
  readonly keys: number;
  readonly cluster: boolean;
  readonly seed: number;
  /** Databases to spread the keys over, the first gets most; a cluster has only 0. */
  readonly databases?: readonly number[];
  readonly password?: string;
}

export interface FillStats {
  readonly keys: number;
  readonly commands: number;
  readonly seconds: number;
}

const BATCH_COMMANDS = 1000;
const BATCH_BYTES = 1_048_576;
const BATCHES_ON_THE_WIRE = 3;
/** Below this the giants would be most of the data. */
const KEYS_FOR_GIANTS = 2000;
const TTL_SHARE = 0.2;
const SHORT_TTL_SHARE = 0.01;
const BINARY_KEY_SHARE = 0.02;
const PROGRESS_EVERY = 5000;
const KIND_SHARES = KINDS.reduce((sum, kind) => sum + kind.share, 0);

const LIBRARY = `#!lua name=sample
redis.register_function('sample_count', function(keys, args)
  return redis.call('INCRBY', keys[1], args[1])
end)
redis.register_function{function_name='sample_length', callback=function(keys, args)
  return redis.call('STRLEN', keys[1])
end, flags={'no-writes'}}
`;

/** Throws with the server's words when a node refuses something. */
export async function fillSample(
  nodes: readonly NodeAddress[],
  options: SampleOptions,
  onProgress?: (done: number, total: number) => void,
): Promise<FillStats> {
  const startedAt = performance.now();
  const side = await openSide({ addresses: nodes, cluster: options.cluster, password: options.password });
  try {
    const can: Abilities = { fieldExpiry: side.fieldExpiry, streamMemory: side.exactExpiry };
    await loadLibrary(side);
    const filler = new Filler(side);
    for (let index = 0; index < options.keys; index++) {
      const { name, commands } = sampleValue(index, options, can);
      await filler.add(name, databaseOf(index, options), commands);
      if (index % PROGRESS_EVERY === 0) onProgress?.(index, options.keys);
    }
    await filler.finish();
    onProgress?.(options.keys, options.keys);
    return { keys: options.keys, commands: filler.commands, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    side.close();
  }
}

/** The name of the sample's key with this number, for whoever wants to write to it later. */
export function sampleKey(index: number, options: SampleOptions): Buffer {
  const random = randomOf(index, options);
  return nameOf(index, kindOf(index, options, random).name, random);
}

export function databaseOf(index: number, options: Pick<SampleOptions, 'databases' | 'cluster'>): number {
  const databases = options.cluster ? [0] : (options.databases ?? [0]);
  // Three of four keys in the first one, as people have it.
  const place = index % 4 === 3 ? (index >> 2) % databases.length : 0;
  return databases[place] ?? 0;
}

function randomOf(index: number, options: SampleOptions): Random {
  return createRandom(Math.imul(options.seed ^ 0x5bd1e995, 0x9e3779b1) + Math.imul(index + 1, 0x85ebca6b));
}

function kindOf(index: number, options: SampleOptions, random: Random): { name: string; make: Maker } {
  const giant = options.keys >= KEYS_FOR_GIANTS ? GIANTS[index] : undefined;
  if (giant !== undefined) return giant;
  let rest = random.next() * KIND_SHARES;
  for (const kind of KINDS) {
    rest -= kind.share;
    if (rest < 0) return kind;
  }
  throw new Error('the shares of the sample kinds do not add up');
}

function nameOf(index: number, kind: string, random: Random): Buffer {
  const name = Buffer.from(`sample:${kind}:${index}`);
  if (random.next() >= BINARY_KEY_SHARE) return name;
  return Buffer.concat([name, Buffer.from([0, 0x0d, 0x0a, 0xff, 0x7b, 0x7d, random.between(0, 256)])]);
}

function sampleValue(index: number, options: SampleOptions, can: Abilities): { name: Buffer; commands: Command[] } {
  const random = randomOf(index, options);
  const kind = kindOf(index, options, random);
  const name = nameOf(index, kind.name, random);
  const commands = kind.make(name, random, can);
  if (random.next() < TTL_SHARE) {
    const short = random.next() < SHORT_TTL_SHARE;
    commands.push(['PEXPIRE', name, short ? random.between(30_000, 90_000) : random.between(300_000, 5 * 86_400_000)]);
  }
  return { name, commands };
}

async function loadLibrary(side: Side): Promise<void> {
  for (const node of side.nodes) {
    const [known] = list(await node.call(['COMMAND', 'INFO', 'function']));
    if (known === null || known === undefined) continue;
    await node.call(['FUNCTION', 'LOAD', 'REPLACE', LIBRARY]);
  }
}

interface OpenBatch {
  commands: Command[];
  bytes: number;
}

/** Collects commands by node and database and keeps a bounded number of batches on the wire. */
class Filler {
  commands = 0;
  readonly #side: Side;
  readonly #open = new Map<Connection, Map<number, OpenBatch>>();
  readonly #sent = new Set<Promise<void>>();

  constructor(side: Side) {
    this.#side = side;
  }

  async add(key: Buffer, database: number, commands: readonly Command[]): Promise<void> {
    const node = this.#side.nodeOf(key);
    const byDatabase = this.#open.get(node) ?? new Map<number, OpenBatch>();
    this.#open.set(node, byDatabase);
    const batch = byDatabase.get(database) ?? { commands: [], bytes: 0 };
    byDatabase.set(database, batch);
    for (const command of commands) {
      batch.commands.push(command);
      for (const argument of command) batch.bytes += sizeOf(argument);
    }
    if (batch.commands.length < BATCH_COMMANDS && batch.bytes < BATCH_BYTES) return;
    byDatabase.delete(database);
    this.#send(node, database, batch);
    if (this.#sent.size >= BATCHES_ON_THE_WIRE * this.#side.nodes.length) await Promise.race(this.#sent);
  }

  async finish(): Promise<void> {
    for (const [node, byDatabase] of this.#open) {
      for (const [database, batch] of byDatabase) this.#send(node, database, batch);
    }
    this.#open.clear();
    await Promise.all(this.#sent);
  }

  #send(node: Connection, database: number, batch: OpenBatch): void {
    this.commands += batch.commands.length;
    const sending: Promise<void> = node.batch(batch.commands, database).then((replies) => {
      for (const [index, reply] of replies.entries()) {
        if (!(reply instanceof ReplyError)) continue;
        throw new Error(`${node.address} refused ${String(batch.commands[index]?.[0])}: ${reply.message}`);
      }
      this.#sent.delete(sending);
    });
    this.#sent.add(sending);
    sending.catch(() => {});
  }
}

function sizeOf(argument: Argument): number {
  return typeof argument === 'number' ? 8 : argument.length;
}
