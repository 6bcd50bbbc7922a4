// A round of conflicts: some hundred keys are compared with what the target has, judged in their order, and written or put
// aside. What needs no judgement gets none: an equal value, a key that has gone meanwhile, one that is the source's already.
import { type Dialect, hasFieldExpiries } from '../../rdb/format.ts';
import { overwriting } from '../../writers/snapshot-writer.ts';
import type { ConflictDifference } from '../contract/conflict.ts';
import { printableKey } from '../shard/refusal.ts';
import type { NodeLinks } from '../target/node-links.ts';
import { type ConflictEntry, type Difference, type RefusedWrite, readEntry, settledAs } from './conflict-entry.ts';
import type { ConflictFile, PutAside } from './conflict-file.ts';
import type { ConflictJudge, Judgement, QuestionText } from './conflict-judge.ts';
import { type Comparison, compareSides, type SideOptions, showIncoming, showPresent } from './conflict-sides.ts';
import { ConflictWriter, type ConflictWriterHost, type SecondWrite } from './conflict-writer.ts';

export interface ConflictRoundsHost extends ConflictWriterHost {
  /** The target has that value already. @param isOwn it was counted by an earlier attempt. */
  alreadyThere(database: number, key: Buffer, isOwn: boolean): void;
  /** The key is the source's on the target since an earlier attempt: replacing it is no conflict. */
  isOwn(database: number, key: Buffer): boolean;
  /** Such a key is replaced. */
  ownReplaced(database: number, key: Buffer): void;
  /** Nobody can be asked: the run ends with this key. */
  panic(database: number, key: Buffer): void;
}

export class ConflictRounds {
  readonly #links: NodeLinks;
  readonly #options: SideOptions;
  readonly #judge: ConflictJudge;
  readonly #aside: ConflictFile;
  readonly #host: ConflictRoundsHost;
  readonly #writer: ConflictWriter;
  #destroyed = false;

  /** @param aside takes what is put aside. */
  constructor(
    links: NodeLinks,
    options: SideOptions,
    judge: ConflictJudge,
    aside: ConflictFile,
    host: ConflictRoundsHost,
  ) {
    this.#links = links;
    this.#options = options;
    this.#judge = judge;
    this.#aside = aside;
    this.#host = host;
    this.#writer = new ConflictWriter(links, host);
  }

  /** Why a write is sent again, as part of a sentence, or null. */
  get putOff(): string | null {
    return this.#writer.putOff;
  }

  destroy(): void {
    this.#destroyed = true;
    this.#writer.destroy();
  }

  /**
   * @param decided what was decided for all of them, if anything.
   * @returns those whose key on the target has changed meanwhile: they belong into another round.
   * @throws FerryError when the target can take no more, or a link breaks; Error of the disk.
   */
  async run(
    items: readonly RefusedWrite[],
    decided: (() => 'rewrite' | 'ignore' | null) | null,
  ): Promise<readonly RefusedWrite[]> {
    const entries = items.map((item) => readEntry(item, this.#options.dialect));
    const comparisons = await this.#compare(entries);
    let writes: SecondWrite[] = [];
    const changed: RefusedWrite[] = [];
    const aside: PutAside[] = [];
    for (const [index, entry] of entries.entries()) {
      const comparison = comparisons[index];
      if (comparison === undefined || this.#destroyed) return changed;
      const isOwn = this.#host.isOwn(entry.database, entry.incoming.key);
      if (comparison.state !== 'different' || isOwn) {
        const args = this.#undisputed(entry, comparison, isOwn);
        if (args !== null) writes.push({ entry, args, replaced: null });
        continue;
      }
      if (this.#judge.policy === 'panic' && writes.length > 0) {
        // Nothing that was decided waits for the answer to a question.
        changed.push(...(await this.#writer.write(writes)));
        writes = [];
      }
      const judgement =
        decided?.() ?? (await this.#judge.judge(() => this.#describe(entry, comparison.difference), true));
      if (judgement === 'panic') {
        this.#host.panic(entry.database, entry.incoming.key);
        return changed;
      }
      this.#apply(judgement, entry, comparison, writes, aside);
    }
    await this.#aside.add(aside);
    changed.push(...(await this.#writer.write(writes)));
    return changed;
  }

  async #compare(entries: readonly ConflictEntry[]): Promise<readonly Comparison[]> {
    const results: Comparison[] = [];
    await this.#links.onEachNode(
      entries.map(({ database, incoming }, index) => ({ database, key: incoming.key, incoming, index })),
      (item) => item,
      async (link, items) => {
        const incoming = items.map((item) => item.incoming);
        const found = await compareSides(link, incoming, this.#options);
        for (const [place, { index }] of items.entries())
          results[index] = found[place] ?? { state: 'gone', expired: false };
      },
    );
    return results;
  }

  /** What nobody has to decide. @returns what is to be written, or null. */
  #undisputed(entry: ConflictEntry, comparison: Comparison, isOwn: boolean): SecondWrite['args'] | null {
    const { database, args, incoming } = entry;
    switch (comparison.state) {
      case 'equal':
        this.#host.alreadyThere(database, incoming.key, isOwn);
        return holdingExpiry(entry, this.#options.dialect);
      case 'gone':
        // It expired or was deleted since: the write that found it there is sent as it was.
        return comparison.expired ? overwriting(args) : args;
      case 'different':
        this.#host.ownReplaced(database, incoming.key);
        return overwriting(args);
    }
  }

  #apply(
    judgement: Exclude<Judgement, 'panic'>,
    entry: ConflictEntry,
    found: Difference,
    writes: SecondWrite[],
    aside: PutAside[],
  ): void {
    const { database, args } = entry;
    switch (judgement) {
      case 'rewrite':
        writes.push({ entry, args: overwriting(args), replaced: found });
        break;
      case 'ignore':
        this.#host.settled(settledAs('ignored', entry, found));
        break;
      case 'defer':
        aside.push({ database, args, difference: found.difference });
        break;
    }
  }

  /** Both sides for the person. */
  async #describe({ database, incoming }: ConflictEntry, difference: ConflictDifference): Promise<QuestionText> {
    const link = await this.#links.link(this.#links.nodeOf(incoming.key));
    await link.select(database);
    const { side } = await showPresent(link, incoming.key, this.#options);
    const source = showIncoming(incoming, this.#options.dialect);
    return { kind: 'key', database, key: printableKey(incoming.key), difference, source, target: side };
  }
}

/**
 * The target must not let a key expire by its own clock while the run lasts (protocol/held-expiry.ts): of an equal value
 * its expiry is written as the snapshot's would be. null when there is none.
 */
function holdingExpiry({ args, incoming }: ConflictEntry, dialect: Dialect): SecondWrite['args'] | null {
  if (!incoming.plain && hasFieldExpiries(incoming.type, dialect)) return overwriting(args);
  return incoming.expiresAtMs < 0 ? null : ['PEXPIREAT', incoming.key, String(incoming.expiresAtMs)];
}
