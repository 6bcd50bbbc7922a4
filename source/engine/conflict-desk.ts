// Where the snapshot keys come that the target has already. Each is compared with what is there; equal values are let be,
// the rest is judged by the policy in force at that moment (engine/conflict-judge.ts), and what may be rewritten is sent
// once more with permission to replace. It works on links of its own, before the stream begins: each key occurs once.
import { encodeCommand } from '../protocol/resp-encode.ts';
import { type Dialect, hasFieldExpiries } from '../rdb/format.ts';
import { type BlockLink, type BlockReply, TargetRefusal } from '../writers/block-link.ts';
import type { NativeKey } from '../writers/native-writer.ts';
import type { RefusedCommand } from '../writers/node-writer.ts';
import { overwriting } from '../writers/snapshot-writer.ts';
import { judgeReply } from '../writers/target-replies.ts';
import { ConflictFile, type PutAside } from './conflict-file.ts';
import { ConflictJudge, type Judgement, type QuestionText } from './conflict-judge.ts';
import {
  type Comparison,
  compareSides,
  type Incoming,
  readIncoming,
  type SideOptions,
  showIncoming,
  shownExpiry,
  showPresent,
} from './conflict-sides.ts';
import type {
  ConflictDecision,
  ConflictDifference,
  ConflictPolicy,
  ConflictSide,
  ConflictStanding,
} from './contract/conflict.ts';
import { FerryError } from './errors.ts';
import type { NodeLinks } from './node-links.ts';
import { printableKey } from './refusal.ts';

/** One conflict that has been settled. */
export interface Settled {
  readonly database: number;
  readonly key: Buffer;
  readonly outcome: 'rewritten' | 'ignored';
  readonly difference: ConflictDifference;
  readonly types: { readonly source: string; readonly target: string };
}

export interface DeskHost {
  settled(conflict: Settled): void;
  /** The target has that value already. @param isOwn it was counted by an earlier attempt. */
  alreadyThere(database: number, key: Buffer, isOwn: boolean): void;
  /** The key is the source's on the target since an earlier attempt: replacing it is no conflict. */
  isOwn(database: number, key: Buffer): boolean;
  /** Such a key is replaced. */
  ownReplaced(database: number, key: Buffer): void;
  /** A question is open; nothing goes on before it is answered. */
  asks(): void;
  /** Nobody can be asked: the run ends with this key. */
  panic(database: number, key: Buffer): void;
  refused(command: RefusedCommand): void;
  /** Progress, and perhaps room. */
  relieved(): void;
  failed(error: unknown): void;
}

export interface DeskOptions extends SideOptions {
  readonly policy: ConflictPolicy;
  /** Somebody is there to be asked. */
  readonly asks: boolean;
  readonly directory: string;
  /** Of the file for what is put aside. */
  readonly name: string;
}

/** A write that found its key there. */
interface Entry {
  readonly database: number;
  readonly args: readonly Buffer[];
  readonly incoming: Incoming;
}

type Refused = Pick<Entry, 'database' | 'args'>;
type Difference = Extract<Comparison, { readonly state: 'different' }>;

interface Write {
  readonly entry: Entry;
  readonly args: readonly (string | Buffer)[];
  /** null: the key was gone, and this is the first write of it. */
  readonly replaced: Difference | null;
}

/** The snapshot's side of a value that is still on its way. */
const UNSEEN: Omit<ConflictSide, 'expiresAtMs'> = {
  type: 'big value',
  size: null,
  bytes: null,
  encoding: null,
  preview: [],
};

/** What is compared in one round; a round trip to the target each. */
const ROUND_KEYS = 256;
const ROUND_BYTES = 1024 * 1024;
/** From here on nothing more is taken from the snapshot. */
const MOST_PENDING = 1024;
const RETRY_MS = 1000;

export class ConflictDesk {
  /** Why a write is sent again, as part of a sentence, or null. */
  #putOff: string | null = null;
  readonly #links: NodeLinks;
  readonly #options: DeskOptions;
  readonly #host: DeskHost;
  readonly #judge: ConflictJudge;
  readonly #file: ConflictFile;
  readonly #pending: Refused[] = [];
  /** The snapshot is through: what was put aside is decided. */
  #through = false;
  /** What the person chose for everything that was put aside. */
  #forAll: 'rewrite' | 'ignore' | null = null;
  #position = 0;
  #working = false;
  #destroyed = false;
  readonly #collected: Record<ConflictDifference, number> = { type: 0, value: 0, expiry: 0, 'not-compared': 0 };

  constructor(links: NodeLinks, options: DeskOptions, host: DeskHost) {
    this.#links = links;
    this.#options = options;
    this.#host = host;
    this.#judge = new ConflictJudge(options.policy, options.asks, () => host.asks());
    this.#file = new ConflictFile(options.directory, options.name);
  }

  /** Nothing is undecided. */
  get idle(): boolean {
    return !this.#working && this.#pending.length === 0 && this.#file.count === 0;
  }

  /** Nothing more is to be taken from the snapshot now. */
  get saturated(): boolean {
    return this.#judge.question !== null || this.#pending.length >= MOST_PENDING;
  }

  /** Why nothing is sent at present, as part of a sentence, or null. */
  get waiting(): string | null {
    return this.#judge.question === null ? this.#putOff : 'the target has a key already: key c asks (redferry attach)';
  }

  get standing(): Omit<ConflictStanding, 'kept'> {
    return { question: this.#judge.question, collected: this.#file.count };
  }

  setPolicy(policy: ConflictPolicy): void {
    this.#forAll = null;
    this.#judge.policy = policy;
  }

  /** @returns false when that question is not open any more. */
  answer(question: number, decision: ConflictDecision): boolean {
    return this.#judge.answer(question, decision);
  }

  /** Everything before this position of the source is settled as far as conflicts go; Infinity when all are. */
  get position(): number {
    return this.idle ? Number.POSITIVE_INFINITY : this.#position;
  }

  /**
   * A write of the snapshot that found its key there; its bytes are copied.
   * @param position a position of the source before it.
   */
  add(database: number, args: readonly Buffer[], position: number): void {
    if (this.idle) this.#position = position;
    this.#through = false;
    this.#pending.push({ database, args: args.map((arg) => Buffer.from(arg)) });
    this.#wake();
  }

  /**
   * A value that goes by commands, before its first byte is sent.
   * @param link to its node, with its database selected; nobody else uses it meanwhile.
   */
  async keyThere({ database, key, expiresAtMs }: NativeKey, link: BlockLink): Promise<'rewrite' | 'leave'> {
    if (this.#host.isOwn(database, key)) {
      this.#host.ownReplaced(database, key);
      return 'rewrite';
    }
    const { side, present } = await showPresent(link, key, this.#options);
    const source = { ...UNSEEN, expiresAtMs: shownExpiry(expiresAtMs) };
    const difference = 'not-compared';
    const judgement = await this.#judge.judge(
      async () => ({ kind: 'key', database, key: printableKey(key), difference, source, target: side }),
      false,
    );
    if (judgement === 'panic') this.#host.panic(database, key);
    if (judgement !== 'rewrite' && judgement !== 'ignore') return 'leave';
    const types = { source: source.type, target: present.kind };
    this.#settle(judgement === 'rewrite' ? 'rewritten' : 'ignored', { database, key, difference, types });
    return judgement === 'rewrite' ? 'rewrite' : 'leave';
  }

  /** Everything of the snapshot was handed over: what was put aside is decided now. */
  snapshotThrough(): void {
    this.#through = true;
    if (this.#file.count > 0) this.#wake();
  }

  /** A person may take long to answer. */
  keepAlive(): void {
    this.#links.keepAlive();
  }

  destroy(): void {
    this.#destroyed = true;
    this.#links.destroy();
    void this.#file.remove();
  }

  #wake(): void {
    if (this.#working || this.#destroyed) return;
    this.#working = true;
    this.#work().then(
      () => {
        this.#working = false;
        if (!this.#destroyed) this.#host.relieved();
      },
      (error: unknown) => {
        this.#working = false;
        if (!this.#destroyed) this.#host.failed(error);
      },
    );
  }

  async #work(): Promise<void> {
    while (!this.#destroyed) {
      if (this.#pending.length > 0) await this.#round(this.#takePending(), null);
      else if (this.#through && this.#file.count > 0) await this.#decideCollected();
      else return;
      this.#host.relieved();
    }
  }

  #takePending(): readonly Refused[] {
    let bytes = 0;
    let count = 0;
    for (const { args } of this.#pending) {
      if (count === ROUND_KEYS || bytes > ROUND_BYTES) break;
      count++;
      bytes += args.reduce((sum, arg) => sum + arg.length, 0);
    }
    return this.#pending.splice(0, count);
  }

  async #decideCollected(): Promise<void> {
    if (this.#judge.collecting) {
      const answer = await this.#judge.ask(async () => this.#collectedQuestion());
      if (answer === 'rewrite' || answer === 'ignore') this.#forAll = answer;
      // A change of the policy is an answer too.
      if (answer !== 'again') this.#judge.collecting = false;
      return;
    }
    const items = await this.#file.take(ROUND_BYTES, ROUND_KEYS);
    for (const { difference } of items) this.#collected[difference]--;
    await this.#round(items, () => this.#forAll);
  }

  #collectedQuestion(): QuestionText {
    return { kind: 'collected', differences: { ...this.#collected }, total: this.#file.count };
  }

  /**
   * Compares, judges in order, writes.
   * @param decided what was decided for all of them, if anything.
   */
  async #round(items: readonly Refused[], decided: (() => 'rewrite' | 'ignore' | null) | null): Promise<void> {
    const entries = items.map(
      ({ database, args }): Entry => ({ database, args, incoming: readIncoming(args, this.#options.dialect) }),
    );
    const comparisons = await this.#compare(entries);
    let writes: Write[] = [];
    const aside: PutAside[] = [];
    for (const [index, entry] of entries.entries()) {
      const comparison = comparisons[index];
      if (comparison === undefined || this.#destroyed) return;
      const { database } = entry;
      const { key } = entry.incoming;
      const isOwn = this.#host.isOwn(database, key);
      if (comparison.state === 'equal') {
        this.#host.alreadyThere(database, key, isOwn);
        const args = holdingExpiry(entry, this.#options.dialect);
        if (args !== null) writes.push({ entry, args, replaced: null });
        continue;
      }
      if (comparison.state === 'gone') {
        // It expired or was deleted since: the write that found it there is sent as it was.
        writes.push({ entry, args: comparison.expired ? overwriting(entry.args) : entry.args, replaced: null });
        continue;
      }
      if (isOwn) {
        this.#host.ownReplaced(database, key);
        writes.push({ entry, args: overwriting(entry.args), replaced: null });
        continue;
      }
      if (this.#judge.policy === 'panic' && writes.length > 0) {
        // Nothing that was decided waits for the answer to a question.
        await this.#write(writes);
        writes = [];
      }
      const judgement =
        decided?.() ?? (await this.#judge.judge(() => this.#describe(entry, comparison.difference), true));
      if (judgement === 'panic') {
        this.#host.panic(entry.database, entry.incoming.key);
        return;
      }
      this.#apply(judgement, entry, comparison, writes, aside);
    }
    await this.#file.add(aside);
    await this.#write(writes);
  }

  #apply(
    judgement: Exclude<Judgement, 'panic'>,
    entry: Entry,
    found: Difference,
    writes: Write[],
    aside: PutAside[],
  ): void {
    const { database, args } = entry;
    switch (judgement) {
      case 'rewrite':
        writes.push({ entry, args: overwriting(args), replaced: found });
        break;
      case 'ignore':
        this.#settle('ignored', this.#conflictOf(entry, found));
        break;
      case 'defer':
        aside.push({ database, args, difference: found.difference });
        this.#collected[found.difference]++;
        break;
    }
  }

  #conflictOf({ database, incoming }: Entry, { difference, present }: Difference): Omit<Settled, 'outcome'> {
    return { database, key: incoming.key, difference, types: { source: incoming.kind, target: present.kind } };
  }

  #settle(outcome: Settled['outcome'], conflict: Omit<Settled, 'outcome'>): void {
    this.#host.settled({ ...conflict, outcome });
  }

  async #describe(entry: Entry, difference: ConflictDifference): Promise<QuestionText> {
    const { database, incoming } = entry;
    const link = await this.#links.link(this.#links.nodeOf(incoming.key));
    await link.select(database);
    const { side } = await showPresent(link, incoming.key, this.#options);
    const source = showIncoming(incoming, this.#options.dialect);
    return { kind: 'key', database, key: printableKey(incoming.key), difference, source, target: side };
  }

  async #compare(entries: readonly Entry[]): Promise<readonly Comparison[]> {
    const results: Comparison[] = [];
    await this.#onEachNode(
      entries.map((entry, index) => ({ entry, index })),
      async (link, items) => {
        const incoming = items.map(({ entry }) => entry.incoming);
        const found = await compareSides(link, incoming, this.#options);
        for (const [place, { index }] of items.entries())
          results[index] = found[place] ?? { state: 'gone', expired: false };
      },
    );
    return results;
  }

  async #write(writes: readonly Write[]): Promise<void> {
    let left = writes;
    while (left.length > 0 && !this.#destroyed) {
      const again: Write[] = [];
      await this.#onEachNode(left, async (link, items) => {
        const commands = items.map(({ args }) => encodeCommand(args));
        const replies = await link.run(commands, commands.length);
        for (const [index, write] of items.entries()) {
          if (!this.#written(write, replies[index] ?? null, link.address)) again.push(write);
        }
      });
      if (again.length === 0) this.#putOff = null;
      else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      left = again;
    }
  }

  /** false: to be sent again. @throws FerryError when the target can take no more at all. */
  #written({ entry, args, replaced }: Write, reply: BlockReply, address: string): boolean {
    if (reply === null || reply === 0) {
      // SET NX: somebody has made the key since it was gone. PEXPIREAT: it has gone since it was there.
      this.#pending.push(entry);
      return true;
    }
    if (!(reply instanceof TargetRefusal)) {
      if (replaced !== null) this.#settle('rewritten', this.#conflictOf(entry, replaced));
      return true;
    }
    const { meaning, remedy } = judgeReply(reply.text);
    switch (meaning) {
      case 'conflict':
        this.#pending.push(entry);
        return true;
      case 'refused':
        this.#host.refused({
          database: entry.database,
          args: args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg)),
          reason: reply.text,
        });
        return true;
      case 'moved':
      case 'fatal':
        throw new FerryError(`The target ${address} ${remedy} (${reply.text}).`, { code: 'target-lost' });
      default:
        this.#putOff = `the target ${address} ${remedy} (${reply.text}); trying again every second`;
        return false;
    }
  }

  /** Does the work for each node at once, database by database; a link has one block under way at a time. */
  async #onEachNode<T extends { readonly entry: Entry }>(
    items: readonly T[],
    work: (link: BlockLink, items: readonly T[]) => Promise<void>,
  ): Promise<void> {
    const byNode = Map.groupBy(items, ({ entry }) => this.#links.nodeOf(entry.incoming.key));
    await Promise.all(
      [...byNode].map(async ([node, ofNode]) => {
        const link = await this.#links.link(node);
        for (const [database, ofDatabase] of Map.groupBy(ofNode, ({ entry }) => entry.database)) {
          await link.select(database);
          await work(link, ofDatabase);
        }
      }),
    );
  }
}

/**
 * The target must not let a key expire by its own clock while the run lasts (protocol/held-expiry.ts): of an equal value
 * its expiry is written as the snapshot's would be. null when there is none.
 */
function holdingExpiry({ args, incoming }: Entry, dialect: Dialect): Write['args'] | null {
  if (!incoming.plain && hasFieldExpiries(incoming.type, dialect)) return overwriting(args);
  return incoming.expiresAtMs < 0 ? null : ['PEXPIREAT', incoming.key, String(incoming.expiresAtMs)];
}
