// One pipelined connection to one target node: commands are appended to a batch, batches are written at once and kept
// until answered. Order on the wire is the order of appending. Nothing counts as applied before its reply was read. What
// the replies mean is another's: of the snapshot snapshot-replies.ts, of the stream stream-replies.ts.
import { FerryError, messageOf } from '../engine/errors.ts';
import { Connection, type ConnectionOptions } from '../protocol/connection.ts';
import { putBulkNumber } from '../protocol/resp-encode.ts';
import type { SilenceWatch } from '../protocol/silence-watch.ts';
import { Batch, type BatchKind, type BufferPool } from './batch.ts';
import { type Introduction, introduce, type NodeIdentity } from './introduction.ts';
import { LINE } from './line-record.ts';
import { type PartError, ReplyReader } from './reply-reader.ts';
import { watchReplies } from './reply-silence.ts';
import { SnapshotReplies } from './snapshot-replies.ts';
import { StreamReplies } from './stream-replies.ts';
import { PlainWrap, type StreamWrap } from './stream-wrap.ts';
import type { WriterOwner } from './writer-owner.ts';

/** While replies are outstanding, a batch below this size waits for one: fewer, larger writes under load. */
const SMALL_BATCH_BYTES = 16 * 1024;
const REPLY_BUFFER_BYTES = 64 * 1024;
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
const SELECT_HEAD = Buffer.from('*2\r\n$6\r\nSELECT\r\n');
/** SELECT_HEAD and a database number. */
const SELECT_BYTES = 64;
/** No database is known to be selected: the next command brings its SELECT. */
const NO_DATABASE = -1;

export interface WriterOptions extends ConnectionOptions, Introduction {
  readonly inFlightBytes: number;
  readonly flushDelayMs: number;
}

export class NodeWriter {
  readonly address: string;
  /** The open batch's buffer, to append to at the place that `reserve` gives. */
  out: Buffer = Buffer.alloc(0);
  /** Unanswered bytes, the open batch not counted. */
  inFlightBytes = 0;
  /** How the stream's commands are put on the wire; to be set before the first of them. */
  wrap: StreamWrap = new PlainWrap(this);
  /** Ended offset of the last command of the stream that was sent; null before the first. */
  sentOffset: number | null = null;
  readonly replies: StreamReplies;
  /** Known when the connection is open. */
  identity: NodeIdentity = { runId: null, replid: null, replicaIds: [] };
  readonly #snapshot: SnapshotReplies;
  readonly #options: WriterOptions;
  readonly #owner: WriterOwner;
  readonly #pool: BufferPool;
  readonly #connection: Connection;
  #open: Batch | null = null;
  readonly #inFlight: Batch[] = [];
  #database = 0;
  #kind: BatchKind = 'snapshot';
  #flushTimer: NodeJS.Timeout | null = null;
  readonly #watch: SilenceWatch;
  #ended = false;

  constructor(options: WriterOptions, owner: WriterOwner, pool: BufferPool) {
    this.#options = options;
    this.#owner = owner;
    this.#pool = pool;
    this.#connection = new Connection({ ...options, readBufferBytes: REPLY_BUFFER_BYTES });
    this.address = this.#connection.address;
    this.#watch = watchReplies(
      () => this.#inFlight.length > 0,
      (seconds) => this.#end(`The target ${this.address} has not answered for ${seconds} s.`, null),
    );
    const host = {
      address: this.address,
      owner,
      send: (batch: Batch) => this.#send(batch),
      give: (batch: Batch) => this.#give(batch),
      append: (bytes: Buffer, database: number) => this.#appendExtra(bytes, database),
      openDatabase: () => this.#open?.database ?? this.#database,
      flush: (now: boolean) => this.flush(now),
      end: (message: string) => this.#end(message, null),
      ended: () => this.#ended,
    };
    this.#snapshot = new SnapshotReplies(host);
    this.replies = new StreamReplies({ ...host, troubled: () => this.#troubled() });
  }

  /** Connects, authenticates, names the connection. @throws FerryError */
  async open(): Promise<void> {
    await this.#connection.open();
    this.identity = await introduce(this.#connection, this.#options);
    const replies = new ReplyReader({
      succeeded: (count) => this.#succeeded(count),
      failed: (text) => this.#failed(text),
      nothing: () => this.#nothing(),
      partlyFailed: (errors) => this.#partlyFailed(errors),
      zeros: (elements) => this.#zeros(elements),
    });
    this.#watch.start();
    this.#connection.listen(
      (bytes) => {
        this.#watch.heard();
        try {
          replies.feed(bytes);
        } catch (error) {
          this.#end(`${this.address} sent what is no reply (${messageOf(error)}).`, error);
        }
        return true;
      },
      (error) =>
        this.#end(`The link to the target ${this.address} broke${error === null ? '' : ` (${error.message})`}.`, error),
    );
  }

  /** Of a cluster: the node's id. */
  get nodeId(): string | null {
    return this.#options.nodeId;
  }

  /** Why nothing is sent at present, as part of a sentence, or null. */
  get waiting(): string | null {
    return this.#snapshot.waiting;
  }

  get saturated(): boolean {
    return this.#snapshot.waiting !== null || this.inFlightBytes >= this.#options.inFlightBytes;
  }

  /** Nothing appended is without its reply. */
  get idle(): boolean {
    return this.#open === null && this.#inFlight.length === 0 && this.#snapshot.idle;
  }

  /** Everything before this position has taken effect here; Infinity when nothing is outstanding. */
  get settledPosition(): number {
    let least = this.#open?.position ?? Number.POSITIVE_INFINITY;
    const oldest = this.#inFlight[0];
    if (oldest !== undefined) least = Math.min(least, oldest.position);
    return Math.min(least, this.#snapshot.position, this.replies.position);
  }

  /** What is appended from now on belongs to this part of the source. */
  setKind(kind: BatchKind): void {
    if (kind === this.#kind) return;
    this.#close();
    this.#kind = kind;
  }

  /**
   * Makes room for `bytes` in `out` behind a SELECT of `database` where one is needed; gives the place to append at.
   * `commit` must follow before anything else is reserved.
   */
  reserve(bytes: number, database: number): number {
    const wrap = this.#kind === 'stream' ? this.wrap : null;
    const needed = bytes + SELECT_BYTES + (wrap?.frameBytes ?? 0);
    if (this.#open !== null && this.#open.length + needed > this.out.length) this.#close();
    if (this.#open === null) {
      const buffer = needed <= this.#pool.bufferBytes ? this.#pool.take() : Buffer.allocUnsafeSlow(needed);
      this.#open = new Batch(buffer, this.#kind, this.#owner.position, this.#database);
      this.out = buffer;
      wrap?.opened(this.#open);
    }
    this.select(database);
    return this.#open.length;
  }

  /** Appends the SELECT that the database needs, if any; there is room for it. */
  select(database: number): void {
    if (database === this.#database) return;
    const batch = this.#open as Batch;
    this.out.set(SELECT_HEAD, batch.length);
    batch.length = putBulkNumber(this.out, batch.length + SELECT_HEAD.length, database);
    if (batch.lines === null) batch.commands++;
    else batch.lines.add(LINE.own, 0);
    this.#database = database;
  }

  /** Ends an append: everything up to `end` is whole commands. */
  commit(end: number, keys: number, streamCommands: number): void {
    const batch = this.#open as Batch;
    batch.length = end;
    batch.commands += keys + streamCommands;
    batch.keys += keys;
    batch.streamCommands += streamCommands;
  }

  /** Ends an append whose rest stands in buffers of its own, and sends it. */
  commitWithTail(end: number, tail: readonly Buffer[], keys: number, streamCommands: number): void {
    this.commit(end, keys, streamCommands);
    (this.#open as Batch).tail = tail;
    this.#close();
  }

  /** Whether one of the stream's writes that are sent and not answered is such a one. */
  hasUnanswered(such: (slot: number, offset: number) => boolean): boolean {
    return this.#inFlight.some(({ lines, firstLine }) => {
      for (let line = firstLine; lines !== null && line < lines.count; line++) {
        const slot = lines.slots[line] as number;
        if (slot < LINE.exec && such(slot, lines.offsets[line] as number)) return true;
      }
      return false;
    });
  }

  /** Of the stream: the batch that `reserve` made room in. */
  get openBatch(): Batch {
    return this.#open as Batch;
  }

  /** Sends what was appended, unless it is better to gather a little more; `now` allows no such thought. */
  flush(now: boolean): void {
    const batch = this.#open;
    if (batch === null || this.waiting !== null) return;
    if (now || this.#options.flushDelayMs === 0) {
      if (!now && this.#inFlight.length > 0 && batch.length < SMALL_BATCH_BYTES) return;
      this.#close();
      return;
    }
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = null;
      this.flush(true);
    }, this.#options.flushDelayMs);
  }

  /** Of the snapshot: keeps a target with `timeout` from closing a link that waits for a person. */
  keepAlive(): void {
    if (!this.idle || this.#kind !== 'snapshot' || this.#ended) return;
    this.#appendExtra(PING, this.#database);
    this.flush(true);
  }

  /** Closes without a word; what is unanswered stays unsettled. */
  destroy(): void {
    this.#ended = true;
    this.#snapshot.destroy();
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#watch.stop();
    this.#connection.destroy();
  }

  /** The stream is going to be played again: what is not sent is forgotten. */
  #troubled(): void {
    const open = this.#open;
    this.#open = null;
    if (open !== null) this.replies.drop(open);
    // A SELECT of a block that was not executed has had no effect.
    this.#database = NO_DATABASE;
    this.wrap.reset();
    this.#owner.troubled();
  }

  #close(): void {
    const batch = this.#open;
    if (batch === null) return;
    if (batch.kind === 'stream') this.wrap.closing(batch);
    this.#open = null;
    if (this.waiting === null) {
      this.#send(batch);
    } else {
      // Appended before the owner saw that we wait: it follows what goes again.
      this.#snapshot.hold(batch);
    }
  }

  #send(batch: Batch): void {
    const { lines } = batch;
    if (lines !== null) {
      batch.commands = lines.count - batch.firstLine;
      const last = batch.lastOffset;
      if (last !== null) this.sentOffset = Math.floor(last);
    }
    if (this.#inFlight.length === 0) this.#watch.heard();
    this.#inFlight.push(batch);
    this.inFlightBytes += batch.bytes;
    this.#connection.write(batch.head);
    batch.unwritten = batch.tail.length;
    const written = (): void => {
      batch.unwritten--;
    };
    for (const part of batch.tail) this.#connection.write(part, written);
  }

  #succeeded(count: number): void {
    let left = count;
    while (left > 0) {
      const batch = this.#inFlight[0];
      if (batch === undefined) {
        this.#end(`${this.address} sent a reply to nothing.`, null);
        return;
      }
      const taken = Math.min(left, batch.commands - batch.answered);
      batch.answered += taken;
      left -= taken;
      if (batch.answered === batch.commands) this.#batchAnswered(batch);
    }
  }

  #failed(text: string): void {
    const batch = this.#inFlight[0];
    if (batch === undefined) {
      this.#end(`${this.address} sent an error to nothing: ${text}.`, null);
      return;
    }
    if (batch.kind === 'snapshot') this.#snapshot.failed(batch, batch.answered, text);
    else this.replies.failed(batch, batch.firstLine + batch.answered, text);
    if (!this.#ended) this.#succeeded(1);
  }

  #nothing(): void {
    const batch = this.#inFlight[0];
    if (batch?.kind === 'snapshot') this.#snapshot.conflict(batch, batch.answered);
    this.#succeeded(1);
  }

  #partlyFailed(errors: readonly PartError[]): void {
    const batch = this.#inFlight[0];
    if (batch?.kind === 'stream') this.replies.partlyFailed(batch, batch.firstLine + batch.answered, errors);
    this.#succeeded(1);
  }

  #zeros(elements: readonly number[]): void {
    const batch = this.#inFlight[0];
    if (batch?.kind === 'stream') this.replies.zeros(batch, batch.firstLine + batch.answered, elements);
  }

  /** A command that takes another's place; its key was counted with the first attempt. */
  #appendExtra(bytes: Buffer, database: number): void {
    const at = this.reserve(bytes.length, database);
    this.out.set(bytes, at);
    const open = this.#open as Batch;
    open.length = at + bytes.length;
    open.commands++;
  }

  #batchAnswered(batch: Batch): void {
    this.#inFlight.shift();
    this.inFlightBytes -= batch.bytes;
    if (batch.kind === 'snapshot') this.#snapshot.answered(batch, this.#inFlight.length);
    else this.replies.answered(batch);
    if (this.waiting === null && !this.#ended) this.#flushAfterReply();
  }

  #flushAfterReply(): void {
    if (this.#inFlight.length === 0 || (this.#open !== null && this.#open.length >= SMALL_BATCH_BYTES))
      this.flush(false);
  }

  #give(batch: Batch): void {
    this.#pool.give(batch.buffer);
    batch.freeTail();
  }

  #end(message: string, cause: unknown): void {
    if (this.#ended) return;
    this.destroy();
    this.#owner.lost(new FerryError(message, { code: 'target-lost', cause }));
  }
}
