// The chaos load: seeded units at an even rate, collected by node, one batch at a time to each, redirections followed.
// Whether a write whose reply was lost took effect does not matter here: the source is the truth, whatever it holds.
import { createRandom, type Random } from '../../source/demo/random.ts';
import type { NodeAddress } from '../../source/topology/endpoint.ts';
import type { Command } from '../../source/validation/connection.ts';
import { type Reply, ReplyError } from '../../source/validation/resp-reader.ts';
import { kindsNamed, type LoadKind, USUAL_KINDS } from './load-kinds.ts';
import { LoadRoute, redirection } from './load-route.ts';

export interface LoadOptions {
  readonly nodes: readonly NodeAddress[];
  readonly cluster: boolean;
  readonly seed: number;
  /** Units a second; a MULTI block is one. */
  readonly ratePerSecond: number;
  /** Hash tags, each with one key of every family. */
  readonly tags: number;
  /** 0 to 1: how much of it are constant kinds. */
  readonly constantShare: number;
  /** Only kinds of these names; without it all but the short-lived. */
  readonly kinds?: readonly string[] | undefined;
  /** Of a standalone; the first alone in a cluster. */
  readonly databases?: readonly number[] | undefined;
  /** Every unit in another database than the one before, instead of at random. */
  readonly alternate?: boolean | undefined;
}

export interface LoadStats {
  /** Units whose replies came. */
  readonly written: number;
  /** Units whose fate is not known: the connection broke, or the node was silent. */
  readonly lost: number;
  /** Units not sent because their node was down or busy for too long. */
  readonly dropped: number;
  readonly redirected: number;
  /** Error replies by their first word; `ERR` and `WRONGTYPE` would be the load's own mistakes. */
  readonly errors: Readonly<Record<string, number>>;
  readonly byKind: Readonly<Record<string, number>>;
  readonly seconds: number;
}

interface Unit {
  readonly kind: string;
  readonly key: string;
  readonly database: number;
  readonly commands: readonly Command[];
}

const TICK_MS = 10;
/** After a pause of this machine the load does not make up for more. */
const CATCH_UP_MS = 100;
/** Units that wait for a node that is down; the oldest go first. */
const WAITING = 2000;
const BATCH_UNITS = 200;
const HOPS = 4;

export class ChaosLoad {
  readonly #options: LoadOptions;
  readonly #random: Random;
  readonly #route: LoadRoute;
  readonly #constant: readonly LoadKind[];
  readonly #changing: readonly LoadKind[];
  readonly #databases: readonly number[];
  readonly #sending = new Set<Promise<void>>();
  readonly #errors = new Map<string, number>();
  readonly #byKind = new Map<string, number>();
  #waiting: Unit[] = [];
  #timer: NodeJS.Timeout | null = null;
  #startedAt = 0;
  #endedAt: number | null = null;
  #tickedAt = 0;
  #owed = 0;
  #made = 0;
  #written = 0;
  #lost = 0;
  #dropped = 0;
  #redirected = 0;

  constructor(options: LoadOptions) {
    const kinds = options.kinds === undefined ? USUAL_KINDS : kindsNamed(options.kinds);
    this.#options = options;
    this.#random = createRandom(options.seed);
    this.#route = new LoadRoute(options.nodes, options.cluster);
    this.#constant = kinds.filter(({ constant }) => constant);
    this.#changing = kinds.filter(({ constant }) => !constant);
    this.#databases = options.cluster ? [0] : (options.databases ?? [0]);
  }

  async start(): Promise<void> {
    await this.#route.look();
    this.#startedAt = performance.now();
    this.#tickedAt = this.#startedAt;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** No more writes; resolves when every reply is in or given up. */
  async stop(): Promise<LoadStats> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#dropped += this.#waiting.length;
    this.#waiting = [];
    while (this.#sending.size > 0) await Promise.all(this.#sending);
    this.#endedAt ??= performance.now();
    this.#route.close();
    return this.stats();
  }

  stats(): LoadStats {
    return {
      written: this.#written,
      lost: this.#lost,
      dropped: this.#dropped,
      redirected: this.#redirected,
      errors: Object.fromEntries(this.#errors),
      byKind: Object.fromEntries(this.#byKind),
      seconds: ((this.#endedAt ?? performance.now()) - this.#startedAt) / 1000,
    };
  }

  #tick(): void {
    const now = performance.now();
    this.#owed += (Math.min(now - this.#tickedAt, CATCH_UP_MS) / 1000) * this.#options.ratePerSecond;
    this.#tickedAt = now;
    for (; this.#owed >= 1; this.#owed -= 1) this.#waiting.push(this.#make());
    if (this.#waiting.length > WAITING) {
      this.#dropped += this.#waiting.length - WAITING;
      this.#waiting = this.#waiting.slice(-WAITING);
    }
    this.#dispatch();
  }

  /** Every draw is made for every unit, so that what is written does not depend on how the network fares. */
  #make(): Unit {
    const random = this.#random;
    const { tags, constantShare, alternate = false } = this.#options;
    const isConstant = random.next() < constantShare;
    const kinds =
      (isConstant && this.#constant.length > 0) || this.#changing.length === 0 ? this.#constant : this.#changing;
    const chosen = kinds[random.between(0, kinds.length)];
    if (chosen === undefined) throw new Error('a load needs at least one kind');
    const tag = random.between(0, tags);
    const drawn = random.between(0, this.#databases.length);
    const database = this.#databases[alternate ? this.#made % this.#databases.length : drawn] ?? 0;
    this.#made += 1;
    const key = (family: string): string => `chaos:{${tag}}:${family}`;
    return { kind: chosen.name, key: key(''), database, commands: chosen.unit({ random, key }) };
  }

  #dispatch(): void {
    const batches = new Map<string, Unit[]>();
    const left: Unit[] = [];
    for (const unit of this.#waiting) {
      const node = this.#route.nodeOf(unit.key);
      const batch = node === null ? undefined : (batches.get(node) ?? []);
      if (node === null || batch === undefined || this.#route.busy(node) || batch.length >= BATCH_UNITS) {
        left.push(unit);
        continue;
      }
      batch.push(unit);
      batches.set(node, batch);
    }
    this.#waiting = left;
    for (const [node, units] of batches) {
      const sending: Promise<void> = this.#sendBatch(node, units).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
    }
    if (left.length > 0) void this.#route.look();
  }

  /** Batches are of one database each, in the order of the units. */
  async #sendBatch(node: string, units: readonly Unit[]): Promise<void> {
    let at = 0;
    while (at < units.length) {
      const database = units[at]?.database ?? 0;
      let end = at;
      while (end < units.length && units[end]?.database === database) end += 1;
      await this.#sendGroup(node, units.slice(at, end), database);
      at = end;
    }
  }

  async #sendGroup(node: string, units: readonly Unit[], database: number): Promise<void> {
    let replies: Reply[];
    try {
      replies = await this.#route.send(
        node,
        units.flatMap(({ commands }) => commands),
        database,
      );
    } catch {
      this.#lost += units.length;
      await this.#route.look();
      return;
    }
    let at = 0;
    for (const unit of units) {
      const answers = replies.slice(at, at + unit.commands.length);
      at += unit.commands.length;
      await this.#settle(unit, answers, 0);
    }
  }

  /** A unit is redirected as a whole: a MULTI block that was sent to the wrong node has been discarded there. */
  async #settle(unit: Unit, answers: readonly Reply[], hops: number): Promise<void> {
    const to = answers.map(redirection).find((found) => found !== null);
    if (to === undefined || hops === HOPS) {
      this.#count(unit, answers);
      return;
    }
    this.#redirected += 1;
    if (!to.ask) this.#route.moved(to.slot, to.node);
    const asking: readonly Command[] = to.ask ? [['ASKING']] : [];
    try {
      const replies = await this.#route.send(to.node, [...asking, ...unit.commands], unit.database);
      await this.#settle(unit, replies.slice(asking.length), hops + 1);
    } catch {
      this.#lost += 1;
    }
  }

  #count(unit: Unit, answers: readonly Reply[]): void {
    this.#written += 1;
    this.#byKind.set(unit.kind, (this.#byKind.get(unit.kind) ?? 0) + 1);
    for (const answer of answers) {
      for (const reply of Array.isArray(answer) ? answer : [answer]) {
        if (!(reply instanceof ReplyError)) continue;
        // RENAME of a name that the other RENAME has taken away.
        const word = reply.message.startsWith('ERR no such key') ? 'no such key' : (reply.message.split(' ')[0] ?? '');
        this.#errors.set(word, (this.#errors.get(word) ?? 0) + 1);
      }
    }
  }
}
