// Writes a value with the commands of its type, for what no RESTORE can carry: too big for one command, or of an encoding
// that the target does not take. It grows under a temporary key of the same slot and is moved into place by RENAME, so
// that a reader sees the old value or the new one. One value at a time; its elements come as the parser decodes them.
import { RespBuilder } from '../protocol/resp-builder.ts';
import type { Loss } from '../rdb/encode-goal.ts';
import type { Slice, StreamFacts, StreamId, ValueKind, ValueSink } from '../rdb/value-sink.ts';
import { type BlockLink, type BlockReply, TargetRefusal } from './block-link.ts';
import { type Block, ElementBlock, type NativeAbilities } from './element-block.ts';
import { judgeReply } from './target-replies.ts';

/** What belongs to the key beside its value. */
export interface NativeKey {
  readonly database: number;
  readonly key: Buffer;
  /** Where it grows: in the same slot. */
  readonly temporaryKey: Buffer;
  /** Unix ms, or -1. */
  readonly expiresAtMs: number;
  /** What to write for the expiry of a hash's field, from what the value says. */
  readonly fieldExpiry: (expiresAtMs: number) => number;
  /** What the target has of that name is this run's own. */
  readonly isOwn: boolean;
}

/** What becomes of a key that the target has already; panic ends the shard, by the host. */
export type KeyThere = 'rewrite' | 'leave';

export interface NativeHost {
  /** A link to the node that holds the key. */
  link(key: NativeKey): Promise<BlockLink>;
  /** The target has the key; said before anything is written. @param link to its node, not used meanwhile. */
  keyThere(key: NativeKey, link: BlockLink): Promise<KeyThere>;
  /** How a key that is not there yet is moved into place. */
  readonly replaces: boolean;
  /** Room for more, or the value is done. */
  relieved(): void;
  /** false: it was refused. Else the value is in place, left out by the policy, or expired. */
  done(written: boolean): void;
  refused(key: NativeKey, reason: string): void;
  /** Pending entries of deleted stream entries, which no command can make, and the like. */
  lost(key: NativeKey, what: string): void;
  /** What this target's commands have no place for. */
  loss(loss: Loss): void;
  failed(error: unknown): void;
}

/** How long to wait before what the target can not take now is sent again. */
const RETRY_MS = 1000;

/** Thrown inside to leave a value that the target refuses. */
class ValueRefused extends Error {}

export class NativeWriter implements ValueSink {
  /** Why nothing is sent at present, as part of a sentence, or null. */
  waiting: string | null = null;
  readonly #host: NativeHost;
  readonly #abilities: NativeAbilities;
  #key: NativeKey | null = null;
  #link: BlockLink | null = null;
  /** Made for the first value: few runs have any. */
  #blocks: ElementBlock | null = null;
  /** Of the value under way, once its kind is known. */
  #block: ElementBlock | null = null;
  /** The work under way; what comes next follows it. */
  #work: Promise<void> = Promise.resolve();
  #working = 0;
  /** The value is passed over: left to the target's own, or refused. */
  #discarding = false;
  #wasThere = false;
  #refused = false;
  #entries = 0;
  #lostPending = 0;
  #lostOwners = 0;
  #destroyed = false;

  constructor(abilities: NativeAbilities, host: NativeHost) {
    this.#abilities = abilities;
    this.#host = host;
  }

  /** A value is under way. */
  get active(): boolean {
    return this.#key !== null;
  }

  get saturated(): boolean {
    return this.#working > 0 && (this.#block === null || this.#block.full);
  }

  /** The value that the next calls bring. */
  prepare(key: NativeKey): void {
    this.#key = key;
    this.#block = null;
    this.#discarding = false;
    this.#wasThere = false;
    this.#refused = false;
    this.#entries = 0;
    this.#lostPending = 0;
    this.#lostOwners = 0;
    this.#then(() => this.#open(key));
  }

  begin(kind: ValueKind): void {
    if (this.#key === null) return;
    this.#blocks ??= new ElementBlock(this.#abilities);
    this.#blocks.begin(kind, this.#key.temporaryKey);
    this.#block = this.#blocks;
  }

  text(piece: Slice): void {
    this.#block?.text(piece);
    this.#filled();
  }

  element(element: Slice): void {
    this.#block?.element(element);
    this.#filled();
  }

  scored(member: Slice, score: number): void {
    this.#block?.scored(member, score);
    this.#filled();
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.#block?.field(field, value, this.#key?.fieldExpiry(expiresAtMs) ?? expiresAtMs);
    if (expiresAtMs >= 0 && !this.#abilities.fieldExpiry) this.#host.loss('field-expiry');
    this.#filled();
  }

  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    this.#entries++;
    this.#block?.streamEntry(id, fields, count);
    this.#filled();
  }

  streamFacts(facts: StreamFacts): void {
    if (this.#entries === 0) this.#block?.emptyStream();
    this.#block?.streamFacts(facts);
    if (facts.entriesAdded !== null && !this.#abilities.streamCounters) this.#host.loss('entries-read');
  }

  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.#block?.group(name, lastId, entriesRead);
    this.#filled();
  }

  consumer(name: Slice): void {
    this.#block?.consumer(name);
    this.#host.loss('consumer-activity');
    this.#filled();
  }

  pending(id: StreamId, deliveredAtMs: number, deliveries: number): void {
    if (this.#block?.pending(id, deliveredAtMs, deliveries) === false) this.#lostOwners++;
    this.#filled();
  }

  end(): void {
    this.#flush();
    this.#then(() => this.#finish());
  }

  /** Leaves at once; the temporary key expires by itself. */
  destroy(): void {
    this.#destroyed = true;
    this.#link?.destroy();
  }

  /** One block is under way at most, and one is filled meanwhile: their buffers are used again. */
  #filled(): void {
    if (this.#block?.full === true && this.#working === 0) this.#flush();
  }

  #flush(): void {
    const block = this.#block;
    if (block === null || block.empty) return;
    const taken = block.take();
    this.#then(() => this.#send(taken));
  }

  /** Does the work when all before it is done. */
  #then(work: () => Promise<void>): void {
    this.#working++;
    this.#work = this.#work
      .then(async () => {
        if (!this.#destroyed) await work();
      })
      .catch((error: unknown) => {
        if (error instanceof ValueRefused) this.#discarding = true;
        else if (!this.#destroyed) this.#host.failed(error);
      })
      .then(() => {
        this.#working--;
        if (this.#destroyed) return;
        this.#filled();
        this.#host.relieved();
      });
  }

  async #open(key: NativeKey): Promise<void> {
    this.#link = await this.#host.link(key);
    await this.#link.select(key.database);
    if (!(await this.#exists(key.key))) return;
    this.#wasThere = true;
    this.#discarding = (await this.#host.keyThere(key, this.#link)) === 'leave';
  }

  async #send(block: Block): Promise<void> {
    if (this.#discarding) return;
    const results = await this.#passed(block.parts, block.replies);
    for (const place of block.claims) {
      const claimed = results[place];
      if (Array.isArray(claimed) && claimed.length === 0) this.#lostPending++;
    }
  }

  /** Sends a block until it passes; gives what EXEC gave. @throws ValueRefused when it never will. */
  async #passed(parts: readonly Buffer[], replies: number): Promise<readonly BlockReply[]> {
    const link = this.#link;
    if (link === null) throw new ValueRefused();
    for (;;) {
      const answers = await link.run(parts, replies);
      const executed = answers.at(-1);
      const errors = [...answers, ...(Array.isArray(executed) ? (executed as readonly BlockReply[]) : [])].filter(
        (answer): answer is TargetRefusal => answer instanceof TargetRefusal,
      );
      const [first] = errors;
      if (first === undefined) {
        this.waiting = null;
        return Array.isArray(executed) ? (executed as readonly BlockReply[]) : [];
      }
      await this.#waitOrRefuse(first.text, link);
    }
  }

  async #waitOrRefuse(text: string, link: BlockLink): Promise<void> {
    const { meaning, remedy } = judgeReply(text);
    if (meaning !== 'wait') {
      await this.#abandon(text, link);
      return;
    }
    this.waiting = `the target ${link.address} ${remedy} (${text}); trying again every second`;
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    if (this.#destroyed) throw new ValueRefused();
  }

  async #abandon(reason: string, link: BlockLink): Promise<never> {
    this.waiting = null;
    if (this.#key !== null) {
      this.#refused = true;
      this.#host.refused(this.#key, reason);
      await link.run([command('UNLINK', this.#key.temporaryKey)], 1);
    }
    throw new ValueRefused();
  }

  /** Gives the key its expiry and moves it into place, in one step. */
  async #finish(): Promise<void> {
    const key = this.#key;
    const link = this.#link;
    if (key === null || link === null) return;
    try {
      if (!this.#discarding && (await this.#exists(key.temporaryKey))) await this.#move(key, link);
    } finally {
      this.#tellLosses(key);
      this.#key = null;
      this.#block = null;
      this.#host.done(!this.#refused);
    }
  }

  async #move(key: NativeKey, link: BlockLink): Promise<void> {
    const replace = this.#host.replaces || this.#wasThere;
    const block = new RespBuilder(1024);
    block.add('MULTI');
    if (key.expiresAtMs >= 0) block.add('PEXPIREAT', key.temporaryKey, key.expiresAtMs);
    else block.add('PERSIST', key.temporaryKey);
    // RENAME alone would free a large old value in the target's main thread.
    if (replace) block.add('UNLINK', key.key);
    block.add(replace ? 'RENAME' : 'RENAMENX', key.temporaryKey, key.key);
    block.add('EXEC');
    const results = await this.#passed([block.written()], replace ? 5 : 4);
    if (replace || results[1] !== 0) return;
    // Somebody made the key meanwhile.
    if ((await this.#host.keyThere(key, link)) === 'rewrite') {
      this.#wasThere = true;
      await this.#move(key, link);
    } else {
      await link.run([command('UNLINK', key.temporaryKey)], 1);
    }
  }

  #tellLosses(key: NativeKey): void {
    if (this.#lostPending > 0) {
      this.#host.lost(
        key,
        `${this.#lostPending} pending entries of deleted stream entries are not on the target: no command makes them`,
      );
    }
    if (this.#lostOwners > 0) {
      this.#host.lost(key, `${this.#lostOwners} released pending entries are not on the target: no command makes them`);
    }
  }

  async #exists(key: Buffer): Promise<boolean> {
    const link = this.#link;
    if (link === null) return false;
    for (;;) {
      const [reply] = await link.run([command('EXISTS', key)], 1);
      if (!(reply instanceof TargetRefusal)) return reply === 1;
      await this.#waitOrRefuse(reply.text, link);
    }
  }
}

function command(name: string, key: Buffer): Buffer {
  const builder = new RespBuilder(64 + key.length);
  builder.add(name, key);
  return builder.written();
}
