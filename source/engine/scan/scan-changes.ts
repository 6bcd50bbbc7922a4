// What changes on a scanned source: how that is told at present, what waits to be fetched, and whether there was a time in
// which nothing was told. That time is a gap, which only another scan and a sweep of the target close.
import { ChangeFeed, type FollowedBy } from '../../readers/scan/change-feed.ts';
import { ChangeQueue } from '../../readers/scan/change-queue.ts';
import { globMatches } from '../../readers/scan/glob.ts';
import { judgeFlags, sufficientFlags } from '../../readers/scan/keyspace-flags.ts';
import { SourceLink, type SourceLinkOptions } from '../../readers/scan/source-link.ts';
import {
  askFlags,
  askFlushes,
  askKeysOfSlots,
  askSlots,
  askUsedDatabases,
} from '../../readers/scan/source-questions.ts';
import { ElasticQueue } from '../../spool/elastic-queue.ts';
import type { ShardChanges } from '../contract/shard-snapshot.ts';
import { FerryError, messageOf } from '../errors.ts';
import type { KeylessRule, ScanOrder, ShardLimits } from '../run/shard-job.ts';
import { LagMarks } from '../shard/lag-marks.ts';
import { steadyMs } from '../steady-clock.ts';

export interface ScanChangesOptions {
  readonly link: Omit<SourceLinkOptions, 'address' | 'clientName'>;
  readonly name: string;
  readonly cluster: boolean;
  readonly order: ScanOrder;
  readonly limits: ShardLimits;
  readonly flush: KeylessRule;
  readonly swapdb: KeylessRule;
}

export interface ScanChangesHost {
  locate(): Promise<SourceLinkOptions['address']>;
  /** Keys wait. */
  queued(): void;
  /** How the changes are told is another way now, or no longer. */
  changed(): void;
  /** Keys went from the source without a word about each: the target is to be looked through. */
  vanished(): void;
  refused(command: string, reason: string): void;
  notice(level: 'info' | 'warn' | 'error', message: string): void;
  once(level: 'info' | 'warn', message: string): void;
}

const POLL_MS = 1000;
/** The setting is read anew after so many polls: a promoted replica has its own. */
const FLAGS_EVERY = 10;
const RETRY_MS = 1000;

export class ScanChanges {
  /** Nothing was told for a while since the scan began. */
  gap = false;
  /** Slots that this node owns; null outside of a cluster. */
  ownSlots: ReadonlySet<number> | null = null;
  readonly #options: ScanChangesOptions;
  readonly #host: ScanChangesHost;
  readonly #queue: ChangeQueue;
  readonly #spool: ElasticQueue;
  readonly #marks = new LagMarks();
  #feed: ChangeFeed | null = null;
  #followedBy: FollowedBy | null = null;
  #link: SourceLink | null = null;
  #flags: string | null = null;
  #verdict: string | null = null;
  #databases: readonly number[] = [0];
  #flushes = { flush: -1, swapdb: -1 };
  #alarms = 0;
  #polls = 0;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  #closed = false;

  constructor(options: ScanChangesOptions, host: ScanChangesHost) {
    this.#options = options;
    this.#host = host;
    this.#spool = new ElasticQueue({
      memoryBytes: options.limits.queueMemory >> 1,
      diskBytes: options.limits.queueDisk,
      directory: options.limits.spoolDirectory,
      name: options.name.replace(/[^\w.-]/g, '-'),
      onReadable: () => host.queued(),
      onRelief: () => this.#feed?.relieve(),
      onError: (error) => host.notice('error', error.message),
    });
    this.#queue = new ChangeQueue(options.limits.queueMemory >> 1, this.#spool);
  }

  get following(): boolean {
    return this.#feed !== null;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  get queuedBytes(): number {
    return this.#spool.size;
  }

  get diskBytes(): number {
    return this.#spool.diskBytes;
  }

  get verdict(): string | null {
    return this.#verdict;
  }

  picture(): ShardChanges {
    const oldest = this.#marks.ageSeconds(this.#queue.taken, this.#queue.added, steadyMs());
    return {
      followedBy: this.#followedBy,
      flags: this.#flags,
      needed: this.#flags === null ? null : sufficientFlags(this.#flags),
      verdict: this.#verdict,
      waiting: this.#queue.size,
      oldestSeconds: this.#queue.size === 0 ? 0 : oldest,
    };
  }

  /** Subscribes where that is possible; resolves when it has, or is known not to be. */
  async start(): Promise<void> {
    await this.#look(true);
    this.#timer = setInterval(() => void this.#look(this.#polls++ % FLAGS_EVERY === 0), POLL_MS);
  }

  /** The setting may have changed. */
  lookNow(): void {
    void this.#look(true);
  }

  /** The source is elsewhere; what was told by where it was leaves a gap. */
  connectAnew(error: FerryError): void {
    this.gap = true;
    if (this.#feed !== null) {
      this.#feed.close();
      this.#lost(this.#feed, error);
      return;
    }
    this.#link?.close();
    this.#link = null;
    this.lookNow();
  }

  /** A key that has to be fetched. */
  add(database: number, bytes: Buffer, start: number, length: number): void {
    const { match, databases } = this.#options.order;
    if (databases !== null && !databases.includes(database)) return;
    if (match !== null && !globMatches(match, bytes, start, length)) return;
    const { added } = this.#queue;
    this.#queue.add(database, bytes, start, length);
    if (this.#queue.added === added) return;
    this.#marks.received(this.#queue.added, steadyMs());
  }

  /** Gives the oldest key away; false when none waits. */
  take(give: (database: number, bytes: Buffer, start: number, length: number) => void): boolean {
    return this.#queue.take(give);
  }

  /** Resolves when everything that the source had told by now is in the queue, and what has no events is known too. */
  async caughtUp(): Promise<void> {
    await this.#feed?.caughtUp();
    // One that is under way may have asked before.
    await this.#looking;
    await this.#look(false);
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#feed?.close();
    this.#link?.close();
  }

  release(): Promise<void> {
    return this.#spool.close();
  }

  /** One look at the source, or the one under way; what goes wrong is tried again by the next. */
  async #look(atFlags: boolean): Promise<void> {
    if (this.#closed) return;
    this.#looking ??= this.#lookOnce(atFlags).finally(() => {
      this.#looking = null;
    });
    await this.#looking;
  }

  async #lookOnce(atFlags: boolean): Promise<void> {
    try {
      this.#link ??= await this.#connect();
      const link = this.#link;
      if (this.#closed) return;
      this.#knowDatabases(await askUsedDatabases(link));
      if (atFlags || this.#feed === null) {
        this.#flags = await askFlags(link);
        await this.#follow();
      }
      await this.#lookForFlushes(link);
      if (this.#options.cluster) await this.#lookAtSlots(link);
    } catch (error) {
      this.#link?.close();
      this.#link = null;
      if (this.#feed === null) this.#unfollow(`The changes of the source can not be followed (${messageOf(error)}).`);
    }
  }

  /** What the tracking told of a database before its first key was seen there went to the others only. */
  #knowDatabases(used: readonly number[]): void {
    const isNew = used.some((database) => !this.#databases.includes(database));
    this.#databases = used;
    if (!isNew || this.#followedBy !== 'tracking') return;
    this.gap = true;
    this.#host.changed();
  }

  async #connect(): Promise<SourceLink> {
    const address = await this.#host.locate();
    const link = new SourceLink({ ...this.#options.link, address, clientName: `${this.#options.name}:watch` });
    await link.open();
    return link;
  }

  /** Listens on the channel that the setting opens; where the setting can not be read, by tracking. */
  async #follow(): Promise<void> {
    const flags = this.#flags;
    const { channel, enough, missing } =
      flags === null ? { channel: 'tracking' as const, enough: true, missing: '' } : judgeFlags(flags);
    if (!enough || channel === null) {
      this.#unfollow(
        `Changes do not arrive: notify-keyspace-events is ${flags === '' ? '(empty)' : flags}. Press K to add what is missing: ${missing}.`,
      );
      return;
    }
    if (this.#feed !== null && this.#followedBy === channel) return;
    const before = this.#feed;
    const feed = new ChangeFeed(
      { ...this.#options.link, address: await this.#host.locate(), clientName: `${this.#options.name}:changes` },
      {
        changed: (database, bytes, start, length) => this.#told(database, bytes, start, length),
        flushed: () => {
          this.#alarms++;
          void this.#look(false);
        },
        // What the source can not keep either breaks the subscription, which is noticed.
        full: () => this.#spool.full,
        lost: (error) => this.#lost(feed, error),
      },
    );
    try {
      await feed.open(channel);
    } catch (error) {
      feed.close();
      if (!(error instanceof FerryError) || error.code !== 'feed-refused') throw error;
      this.#unfollow(
        `${error.message} Changes since the scan began do not arrive: docs/scan.md says what the user needs.`,
      );
      return;
    }
    if (this.#closed) {
      feed.close();
      return;
    }
    before?.close();
    this.#feed = feed;
    this.#followedBy = channel;
    this.#verdict =
      channel === 'tracking'
        ? 'CONFIG may not be read on the source: its changes are followed by CLIENT TRACKING, each key in every database.'
        : null;
    this.#host.changed();
  }

  #unfollow(verdict: string): void {
    const told = this.#verdict === verdict && this.#feed === null;
    this.#feed?.close();
    this.#feed = null;
    this.#followedBy = null;
    this.#verdict = verdict;
    this.gap = true;
    if (told) return;
    this.#host.once('warn', verdict);
    this.#host.changed();
  }

  #lost(feed: ChangeFeed, error: FerryError): void {
    if (feed !== this.#feed || this.#closed) return;
    this.#feed = null;
    this.#followedBy = null;
    this.#verdict = `${error.message} The shard is scanned once more when it is back.`;
    this.gap = true;
    this.#link?.close();
    this.#link = null;
    this.#host.notice('warn', this.#verdict);
    this.#host.changed();
    setTimeout(() => void this.#look(true), RETRY_MS).unref();
  }

  #told(database: number, bytes: Buffer, start: number, length: number): void {
    if (database >= 0) this.add(database, bytes, start, length);
    else for (const used of this.#databases) this.add(used, bytes, start, length);
    this.#host.queued();
  }

  /** Neither has events. What the statistics can not tell, the alarm of the tracking does. */
  async #lookForFlushes(link: SourceLink): Promise<void> {
    const alarms = this.#alarms;
    this.#alarms = 0;
    const before = this.#flushes;
    const now = await askFlushes(link);
    if (now !== null) this.#flushes = now;
    const known = now !== null && before.flush >= 0;
    const { flush, swapdb } = this.#options;
    if (known ? grew(before.flush, now.flush) : alarms > 0)
      this.#happened('FLUSHALL or FLUSHDB', flush, 'filter.flush');
    if (known && grew(before.swapdb, now.swapdb)) {
      if (swapdb === 'forward') this.gap = true;
      this.#happened('SWAPDB', swapdb, 'filter.swapdb');
    }
  }

  #happened(what: string, rule: KeylessRule, setting: string): void {
    switch (rule) {
      case 'forward':
        this.#host.notice(
          'warn',
          `${what} was run on the source: what went by it goes from the target too (${setting}).`,
        );
        if (this.gap) this.#host.changed();
        else this.#host.vanished();
        return;
      case 'ignore':
        this.#host.notice(
          'warn',
          `${what} was run on the source and is left out, as ${setting} says: the target keeps those keys.`,
        );
        return;
      case 'refuse':
        this.#host.refused(what, `${setting} is "refuse": the target keeps those keys`);
        this.#host.notice(
          'warn',
          `${what} was run on the source; ${setting} is "refuse", so the target keeps those keys.`,
        );
        return;
    }
  }

  /** Slots that came bring keys that no event here told of: they are fetched. */
  async #lookAtSlots(link: SourceLink): Promise<void> {
    const now = (await askSlots(link))?.own;
    if (now === undefined) return;
    const before = this.ownSlots;
    this.ownSlots = now;
    const gained = before === null ? [] : [...now].filter((slot) => !before.has(slot));
    if (gained.length === 0) return;
    this.#host.notice('info', `${gained.length} slots have come to this node: their keys are fetched once more.`);
    await askKeysOfSlots(link, gained, (bytes, start, length) => this.add(0, bytes, start, length));
    this.#host.vanished();
    this.#host.queued();
  }
}

/** A counter that is smaller than before began anew with CONFIG RESETSTAT or another process. */
function grew(before: number, now: number): boolean {
  return now > before || (now < before && now > 0);
}
