// Where the snapshot keys come that the target has already, and wait their turn. Each is compared with what is there; equal
// values are let be, the rest is judged by the policy in force at that moment (conflict-judge.ts), and what may be rewritten
// is sent once more with permission to replace (conflict-rounds.ts). What was put aside comes when the snapshot is through.
// It works on links of its own, before the stream begins: each key occurs once.
import type { BlockLink } from '../../writers/block-link.ts';
import type { NativeKey } from '../../writers/native-writer.ts';
import type { ConflictDecision, ConflictPolicy, ConflictSide, ConflictStanding } from '../contract/conflict.ts';
import { printableKey } from '../shard/refusal.ts';
import type { NodeLinks } from '../target/node-links.ts';
import type { RefusedWrite, Settled } from './conflict-entry.ts';
import { ConflictFile } from './conflict-file.ts';
import { ConflictJudge, type QuestionText } from './conflict-judge.ts';
import { ConflictRounds, type ConflictRoundsHost } from './conflict-rounds.ts';
import { type SideOptions, shownExpiry, showPresent } from './conflict-sides.ts';
import { PendingWrites } from './pending-writes.ts';

export interface DeskHost extends ConflictRoundsHost {
  /** A question is open; nothing goes on before it is answered. */
  asks(): void;
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

export class ConflictDesk {
  readonly #links: NodeLinks;
  readonly #options: DeskOptions;
  readonly #host: DeskHost;
  readonly #judge: ConflictJudge;
  readonly #file: ConflictFile;
  readonly #rounds: ConflictRounds;
  readonly #pending = new PendingWrites();
  /** The snapshot is through: what was put aside is decided. */
  #through = false;
  /** What the person chose for everything that was put aside. */
  #forAll: 'rewrite' | 'ignore' | null = null;
  #position = 0;
  #working = false;
  #destroyed = false;

  constructor(links: NodeLinks, options: DeskOptions, host: DeskHost) {
    this.#links = links;
    this.#options = options;
    this.#host = host;
    this.#judge = new ConflictJudge(options.policy, options.asks, () => host.asks());
    this.#file = new ConflictFile(options.directory, options.name);
    this.#rounds = new ConflictRounds(links, options, this.#judge, this.#file, host);
  }

  /** Nothing is undecided. */
  get idle(): boolean {
    return !this.#working && this.#pending.count === 0 && this.#file.count === 0;
  }

  /** Nothing more is to be taken from the snapshot now. */
  get saturated(): boolean {
    return this.#judge.question !== null || this.#pending.count >= MOST_PENDING;
  }

  /** Why nothing is sent at present, as part of a sentence, or null. */
  get waiting(): string | null {
    if (this.#judge.question !== null) return 'the target has a key already: key c asks (redferry attach)';
    if (this.#rounds.putOff !== null) return this.#rounds.putOff;
    // The snapshot may be here to its last byte by then, and no key counts as written: it would look as if nothing went on.
    return this.saturated ? 'the target has these keys already: each is compared with what is there' : null;
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
    this.#pending.add({ database, args });
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
    const outcome: Settled['outcome'] = judgement === 'rewrite' ? 'rewritten' : 'ignored';
    this.#host.settled({ database, key, outcome, difference, types });
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
    this.#rounds.destroy();
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
      if (this.#pending.count > 0) await this.#round(this.#pending.take(ROUND_KEYS, ROUND_BYTES), null);
      else if (this.#through && this.#file.count > 0) await this.#decideCollected();
      else return;
      this.#host.relieved();
    }
  }

  /** Those whose key has changed meanwhile wait for another one. */
  async #round(items: readonly RefusedWrite[], decided: (() => 'rewrite' | 'ignore' | null) | null): Promise<void> {
    for (const write of await this.#rounds.run(items, decided)) this.#pending.add(write);
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
    await this.#round(items, () => this.#forAll);
  }

  #collectedQuestion(): QuestionText {
    return { kind: 'collected', differences: { ...this.#file.differences }, total: this.#file.count };
  }
}
