// Reads a source by SCAN over several connections: one walks over the keys, the others are the lanes on which values are
// fetched. Keys that changed take the same lanes. What comes is delivered in groups; a link that breaks is made anew, and
// what was on its way is fetched again.
import { FerryError, toFerryError } from '../../engine/errors.ts';
import { slotOf } from '../../protocol/slot.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import { BigKey, type BigKeyHost, type BigOutcome } from './big-key.ts';
import { FetchLane } from './fetch-lanes.ts';
import type { FetchedValues } from './fetched-values.ts';
import { KeyHash } from './key-hash.ts';
import { KeyList } from './key-list.ts';
import { type FoundDatabase, KeyScan, type ScanFilter } from './key-scan.ts';
import { Pace } from './pace.ts';
import { SourceLink, type SourceLinkOptions } from './source-link.ts';
import { ValueFetcher } from './value-fetcher.ts';

export interface ScanReaderOptions {
  readonly link: Omit<SourceLinkOptions, 'clientName' | 'address'>;
  readonly name: string;
  readonly version: ServerVersion;
  readonly cluster: boolean;
  readonly lanes: number;
  readonly filter: ScanFilter;
  /** Only these databases; null for all. */
  readonly databases: readonly number[] | null;
  readonly keysPerSecond: number | null;
  readonly bigBytes: number;
}

/** A group of values that a lane has fetched; it must be told when it is done with. */
export interface Delivery {
  readonly lane: FetchLane;
  readonly values: FetchedValues;
  /** How many of its keys are done. */
  at: number;
  readonly done: () => void;
}

export interface ScanReaderHost {
  /** Where the source is now. @throws FerryError */
  locate(): Promise<SourceLinkOptions['address']>;
  /** All links are up; `anew` when the source is another one than before, whose cursors mean nothing. */
  connected(anew: boolean): void;
  delivered(delivery: Delivery): void;
  /** Every key that was there when the scan began has been delivered and is done with. */
  scanned(): void;
  /** Lanes have room for keys that changed. */
  relieved(): void;
  /** The links broke; they are made anew after a while. */
  lost(error: FerryError, delayMs: number): void;
  /** It can not go on. */
  failed(error: FerryError): void;
  once(level: 'info' | 'warn', message: string): void;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

export class ScanReader {
  readonly #options: ScanReaderOptions;
  readonly #host: ScanReaderHost;
  readonly #lanes: readonly FetchLane[];
  readonly #hash = new KeyHash();
  readonly #pace: Pace;
  #walker: SourceLink | null = null;
  #links: readonly SourceLink[] = [];
  #scan: KeyScan | null = null;
  #walking = false;
  #begun = false;
  #scanned = false;
  #asChanges = false;
  #runId: string | null = null;
  #retryTimer: NodeJS.Timeout | null = null;
  #failures = 0;
  #opening = false;
  /** Counts where the source has been. */
  #placeNumber = 0;
  #closed = false;
  #receivedBefore = 0;

  constructor(options: ScanReaderOptions, host: ScanReaderHost) {
    this.#options = options;
    this.#host = host;
    this.#pace = new Pace(options.keysPerSecond);
    const { version, cluster, bigBytes } = options;
    const fetcherOptions = {
      version,
      cluster,
      bigBytes,
      sizesUnknown: (reply: string) =>
        host.once(
          'warn',
          `The source does not say how large values are (MEMORY USAGE: ${reply}): large ones are fetched whole too.`,
        ),
    };
    this.#lanes = Array.from(
      { length: options.lanes },
      () =>
        new FetchLane(new ValueFetcher(new KeyList(), fetcherOptions), {
          deliver: (lane, values) =>
            new Promise((done) => {
              host.delivered({ lane, values, at: 0, done });
            }),
          relieved: () => this.#relieved(),
          failed: (error) => this.#failed(error),
        }),
    );
  }

  /** Bytes received from the source. */
  get received(): number {
    const links = this.#links.reduce((sum, link) => sum + link.received, this.#walker?.received ?? 0);
    return this.#receivedBefore + links;
  }

  /** Keys that are on their way, and whether any are. */
  get keysUnderWay(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.keys, 0);
  }

  get idle(): boolean {
    return this.#lanes.every((lane) => lane.idle);
  }

  /** A key that changed waits better where it is told apart from itself than in a lane. */
  get busy(): boolean {
    return this.#lanes.some((lane) => lane.busy);
  }

  /** A lane has as much before it as it should. */
  get full(): boolean {
    return this.#lanes.some((lane) => lane.full);
  }

  /** Keys that the scan will give in all; null before it has begun. */
  get announcedKeys(): number | null {
    const { cluster, version } = this.#options;
    return this.#scan?.total(cluster && hasSlotCursors(version)) ?? null;
  }

  /** Connects, and goes on connecting. */
  start(): void {
    void this.#open();
  }

  /** Begins a scan, also after an earlier one. @param isChange its keys are taken for changed ones. */
  async beginScan(isChange: boolean): Promise<void> {
    this.#asChanges = isChange;
    this.#begun = true;
    this.#scanned = false;
    this.#scan = null;
    await this.#walk();
  }

  /** A key that changed. @param bytes are copied. */
  add(database: number, bytes: Buffer, start: number, length: number): void {
    this.#laneOf(database, bytes, start, length).add(database, true, bytes, start, length);
  }

  /** Fetches what was added. */
  run(): void {
    for (const lane of this.#lanes) lane.run();
  }

  /** Reads a value by elements, over the link of the lane that met it. @throws FerryError */
  async readBig(
    lane: FetchLane,
    database: number,
    key: Buffer,
    host: Pick<BigKeyHost, 'begin' | 'room'>,
  ): Promise<BigOutcome> {
    const { link } = lane;
    if (link === null) return 'changed';
    const value = new BigKey(key, this.#options.version, {
      ask: (request, count) => link.ask(request, count, database),
      release: (replies) => link.release(replies),
      ...host,
    });
    return value.read();
  }

  /** The source is elsewhere. @param error why; it can be tried again. */
  connectAnew(error: FerryError): void {
    this.#placeNumber++;
    this.#failures = 0;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    this.#failed(error);
  }

  close(): void {
    this.#closed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#closeLinks();
  }

  #laneOf(database: number, bytes: Buffer, start: number, length: number): FetchLane {
    if (this.#options.cluster) {
      // A slot stays in one lane: its keys share what is asked for them.
      return this.#lanes[slotOf(bytes, start, length) % this.#lanes.length] as FetchLane;
    }
    this.#hash.of(database, bytes, start, length);
    return this.#lanes[this.#hash.low % this.#lanes.length] as FetchLane;
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#closed) return;
    this.#opening = true;
    const { name, link } = this.#options;
    const links: SourceLink[] = [];
    const placeNumber = this.#placeNumber;
    try {
      const address = await this.#host.locate();
      for (let i = 0; i <= this.#lanes.length; i++)
        links.push(new SourceLink({ ...link, address, clientName: `${name}:scan-${i}` }));
      await Promise.all(links.map((one) => one.open()));
      const runId = await runIdOf(links[0] as SourceLink);
      if (this.#closed) throw new FerryError('closed', { code: 'closed' });
      if (placeNumber !== this.#placeNumber)
        throw new FerryError('The source is elsewhere by now.', { code: 'lost', retriable: true });
      const anew = this.#runId !== null && runId !== this.#runId;
      this.#runId = runId;
      this.#opening = false;
      this.#failures = 0;
      this.#use(links, anew);
    } catch (error) {
      this.#opening = false;
      for (const one of links) one.close();
      this.#failed(error);
    }
  }

  #use(links: readonly SourceLink[], anew: boolean): void {
    const [walker, ...others] = links;
    this.#walker = walker ?? null;
    this.#links = others;
    this.#lanes.forEach((lane, index) => {
      lane.link = others[index] ?? null;
      lane.run();
    });
    if (anew) this.#scan?.restart();
    this.#host.connected(anew);
    // The links may have been down when it began.
    if (this.#begun && !this.#scanned) void this.#walk();
  }

  async #walk(): Promise<void> {
    if (this.#walking || this.#walker === null || this.#closed) return;
    this.#walking = true;
    const link = this.#walker;
    try {
      this.#scan ??= new KeyScan(await databasesOf(link, this.#options.databases), this.#options.filter);
      const scan = this.#scan;
      while (!scan.done && !this.full && link === this.#walker) {
        await this.#pace.turn();
        const before = scan.found;
        await scan.step(link, (database, bytes, start, length) =>
          this.#laneOf(database, bytes, start, length).add(database, this.#asChanges, bytes, start, length),
        );
        this.#pace.took(scan.found - before);
        this.run();
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#walking = false;
    }
    this.#lookForEnd();
  }

  #relieved(): void {
    if (this.#scan !== null && !this.#scan.done) void this.#walk();
    this.#lookForEnd();
    this.#host.relieved();
  }

  #lookForEnd(): void {
    if (this.#scanned || this.#scan === null || !this.#scan.done || !this.idle) return;
    this.#scanned = true;
    this.#host.scanned();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const ferry = toFerryError(error);
    this.#closeLinks();
    if (!ferry.retriable && !(ferry.code === 'auth' && this.#runId !== null)) {
      this.#closed = true;
      this.#host.failed(ferry);
      return;
    }
    if (this.#retryTimer !== null || this.#opening) return;
    const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures++);
    this.#host.lost(ferry, delayMs);
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      void this.#open();
    }, delayMs);
  }

  #closeLinks(): void {
    this.#receivedBefore = this.received;
    for (const lane of this.#lanes) lane.link = null;
    const links = this.#links;
    const walker = this.#walker;
    this.#links = [];
    this.#walker = null;
    walker?.close();
    for (const link of links) link.close();
  }
}

/** One table for each slot, whose number stands in the cursor: Redis 7.4, Valkey 8. */
function hasSlotCursors({ product, major, minor }: ServerVersion): boolean {
  return product === 'Valkey' ? major >= 8 : major > 7 || (major === 7 && minor >= 4);
}

async function runIdOf(link: SourceLink): Promise<string | null> {
  return /^run_id:(\w+)/m.exec(await infoOf(link, 'server'))?.[1] ?? null;
}

/** A section of INFO. */
export async function infoOf(link: SourceLink, section: string): Promise<string> {
  const replies = await link.ask(Buffer.from(`INFO ${section}\r\n`), 1, 0);
  const text = replies.bytes.toString('latin1', 0, replies.end);
  link.release(replies);
  return text;
}

/** The databases that hold keys, those of `only` whatever they hold. */
async function databasesOf(link: SourceLink, only: readonly number[] | null): Promise<readonly FoundDatabase[]> {
  const info = await infoOf(link, 'keyspace');
  const found = [...info.matchAll(/^db(\d+):keys=(\d+)/gm)].map(([, database, keys]) => ({
    database: Number(database),
    keys: Number(keys),
  }));
  return only === null ? found : found.filter(({ database }) => only.includes(database));
}
