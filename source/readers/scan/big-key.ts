// A value that is too large to be fetched whole: read in windows by the commands of its type and given to a sink element by
// element. WATCH tells at the end whether it changed meanwhile; then it has to be read once more.
import type { RespBuilder } from '../../protocol/resp-builder.ts';
import { RespBuilder as Builder } from '../../protocol/resp-builder.ts';
import type { Slice, ValueKind, ValueSink } from '../../rdb/value-sink.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import { readStream } from './big-stream.ts';
import { ReplyCursor, SourceRefusal } from './reply-cursor.ts';
import type { Replies } from './source-link.ts';
import { knowsExpireTime } from './value-fetcher.ts';

/** What a value is read with. */
export interface BigKeyHost {
  /** Sends a request of `count` commands and gives its replies; a link that broke is made anew, and that is told by `changed`. */
  ask(request: Buffer, count: number): Promise<Replies>;
  release(replies: Replies): void;
  /** Where the value goes; null when there is no way for it. */
  begin(kind: ValueKind, expiresAtMs: number): ValueSink | null;
  /** Resolves when the sink takes more. */
  room(sink: ValueSink): Promise<void>;
}

export type BigOutcome = 'same' | 'changed' | 'gone' | 'elsewhere' | 'refused';

const ELEMENTS = 1000;
const TEXT_BYTES = 256 * 1024;

export class BigKey {
  readonly key: Buffer;
  readonly version: ServerVersion;
  readonly cursor = new ReplyCursor();
  readonly #host: BigKeyHost;
  readonly #request: RespBuilder = new Builder(1024);

  constructor(key: Buffer, version: ServerVersion, host: BigKeyHost) {
    this.key = key;
    this.version = version;
    this.#host = host;
  }

  /** Reads it all. @throws FerryError when the source refuses to be read. */
  async read(): Promise<BigOutcome> {
    const absolute = knowsExpireTime(this.version);
    const head = await this.query([
      ['WATCH', this.key],
      ['TYPE', this.key],
      [absolute ? 'PEXPIRETIME' : 'PTTL', this.key],
      ['TIME'],
    ]);
    this.cursor.next();
    if (this.cursor.isError) {
      const text = this.cursor.text();
      this.done(head);
      if (/^(MOVED|ASK)/.test(text)) return 'elsewhere';
      throw new SourceRefusal(text);
    }
    const type = this.text();
    this.cursor.next();
    const expiry = this.cursor.number;
    this.cursor.next();
    const nowMs = Number(this.text()) * 1000 + Math.floor(Number(this.text()) / 1000);
    this.done(head);
    if (type === 'none') return 'gone';
    const kind = KINDS.find((known) => known === type);
    const expiresAtMs = expiry < 0 ? -1 : absolute ? expiry : nowMs + expiry;
    const sink = kind === undefined ? null : this.#host.begin(kind, expiresAtMs);
    if (kind === undefined || sink === null) {
      this.done(await this.query([['UNWATCH']]));
      return 'refused';
    }
    await this.#readBy(kind, sink);
    sink.end();
    return (await this.#isUnchanged()) ? 'same' : 'changed';
  }

  /** Asks, with the cursor before the first reply; `done` gives the replies back. */
  async query(commands: readonly (readonly (string | Buffer)[])[]): Promise<Replies> {
    this.#request.clear();
    for (const command of commands) this.#request.add(...command);
    const replies = await this.#host.ask(Buffer.from(this.#request.written()), commands.length);
    this.cursor.begin(replies.bytes);
    return replies;
  }

  done(replies: Replies): void {
    this.#host.release(replies);
  }

  room(sink: ValueSink): Promise<void> {
    return this.#host.room(sink);
  }

  /** The next reply as text. @throws SourceRefusal */
  text(): string {
    this.cursor.next();
    if (this.cursor.isError) throw new SourceRefusal(this.cursor.text());
    return this.cursor.text();
  }

  /** The next reply as bytes that hold until `done`. */
  slice(): Slice {
    this.cursor.next();
    const { bytes, start, end } = this.cursor;
    return { bytes, start, end };
  }

  /** The head of an array; gives how many elements follow. @throws SourceRefusal */
  array(): number {
    this.cursor.next();
    if (this.cursor.isError) throw new SourceRefusal(this.cursor.text());
    return Math.max(0, this.cursor.number);
  }

  #readBy(kind: ValueKind, sink: ValueSink): Promise<void> {
    switch (kind) {
      case 'string':
        return this.#readText(sink);
      case 'list':
        return this.#readList(sink);
      case 'stream':
        return readStream(this, sink);
      default:
        return this.#readScanned(kind, sink);
    }
  }

  async #readText(sink: ValueSink): Promise<void> {
    sink.begin('string', null);
    for (let from = 0; ; from += TEXT_BYTES) {
      const replies = await this.query([['GETRANGE', this.key, String(from), String(from + TEXT_BYTES - 1)]]);
      const piece = this.slice();
      const length = piece.end - piece.start;
      if (length > 0) sink.text(piece);
      this.done(replies);
      if (length < TEXT_BYTES) return;
      await this.room(sink);
    }
  }

  async #readList(sink: ValueSink): Promise<void> {
    sink.begin('list', null);
    for (let from = 0; ; from += ELEMENTS) {
      const replies = await this.query([['LRANGE', this.key, String(from), String(from + ELEMENTS - 1)]]);
      const count = this.array();
      for (let i = 0; i < count; i++) sink.element(this.slice());
      this.done(replies);
      if (count < ELEMENTS) return;
      await this.room(sink);
    }
  }

  async #readScanned(kind: 'set' | 'zset' | 'hash', sink: ValueSink): Promise<void> {
    sink.begin(kind, null);
    for (let position = '0'; ; ) {
      const replies = await this.query([[SCANS[kind], this.key, position, 'COUNT', String(ELEMENTS)]]);
      this.array();
      position = this.text();
      const count = this.array();
      if (kind === 'set') for (let i = 0; i < count; i++) sink.element(this.slice());
      else if (kind === 'zset') for (let i = 0; i < count; i += 2) sink.scored(this.slice(), scoreOf(this.text()));
      else await this.#giveFields(sink, count);
      this.done(replies);
      if (position === '0') return;
      await this.room(sink);
    }
  }

  /** Fields may have expiries of their own (Redis 7.4, Valkey 9). */
  async #giveFields(sink: ValueSink, count: number): Promise<void> {
    const fields = Array.from({ length: count / 2 }, () => [this.slice(), this.slice()] as const);
    const expiries = hasFieldExpiry(this.version) && fields.length > 0 ? await this.#expiriesOf(fields) : [];
    fields.forEach(([field, value], index) => {
      sink.field(field, value, expiries[index] ?? -1);
    });
  }

  async #expiriesOf(fields: readonly (readonly [Slice, Slice])[]): Promise<readonly number[]> {
    const names = fields.map(([{ bytes, start, end }]) => bytes.subarray(start, end));
    const replies = await this.query([['HPEXPIRETIME', this.key, 'FIELDS', String(names.length), ...names]]);
    const count = this.array();
    const expiries = Array.from({ length: count }, () => {
      this.cursor.next();
      return Math.max(-1, this.cursor.number);
    });
    this.done(replies);
    return expiries;
  }

  async #isUnchanged(): Promise<boolean> {
    // With nothing between: above its maxmemory a source takes no command into a transaction (processCommand, server.c).
    const replies = await this.query([['MULTI'], ['EXEC']]);
    this.cursor.next();
    this.cursor.next();
    const unchanged = !this.cursor.isError && !this.cursor.isNull;
    this.done(replies);
    return unchanged;
  }
}

const KINDS: readonly ValueKind[] = ['string', 'list', 'set', 'zset', 'hash', 'stream'];
const SCANS = { set: 'SSCAN', zset: 'ZSCAN', hash: 'HSCAN' } as const;

function scoreOf(text: string): number {
  if (text === 'inf') return Number.POSITIVE_INFINITY;
  return text === '-inf' ? Number.NEGATIVE_INFINITY : Number(text);
}

function hasFieldExpiry({ product, major, minor }: ServerVersion): boolean {
  return product === 'Valkey' ? major >= 9 : major > 7 || (major === 7 && minor >= 4);
}
