// One pipelined connection to one target node: commands are appended to a batch, batches are written at once and kept
// until answered. Order on the wire is the order of appending. Nothing counts as applied before its reply was read.
import { FerryError, messageOf } from '../engine/errors.ts';
import { Connection, type ConnectionOptions } from '../protocol/connection.ts';
import { encodeCommand, putBulkNumber } from '../protocol/resp-encode.ts';
import { Batch, type BatchKind, type BufferPool } from './batch.ts';
import { killFormerConnections } from './former-connections.ts';
import { becomeImportSource } from './import-source.ts';
import { ReplyReader } from './reply-reader.ts';
import { planRetry, type SentUnit, unitsAgain } from './retry-plan.ts';
import { judgeReply, readMoved, type SlotMove } from './target-replies.ts';

/** While replies are outstanding, a batch below this size waits for one: fewer, larger writes under load. */
const SMALL_BATCH_BYTES = 16 * 1024;
const REPLY_BUFFER_BYTES = 64 * 1024;
/** How long to wait before what the target can not take now is sent again. */
const RETRY_MS = 1000;
const SELECT_HEAD = Buffer.from('*2\r\n$6\r\nSELECT\r\n');
/** SELECT_HEAD and a database number. */
const SELECT_BYTES = 64;

/** Why a command did not take effect, and never will. */
export interface RefusedCommand {
  readonly database: number;
  readonly args: readonly Buffer[];
  readonly reason: string;
}

/** Whom a writer reports to. */
export interface WriterOwner {
  /** Everything before this position of the source has been appended to some writer. */
  readonly position: number;
  /** Replies came in: progress, and perhaps room. */
  answered(keys: number, streamCommands: number): void;
  refused(command: RefusedCommand): void;
  /** A snapshot key that the target has already; gives the command to send in its place, or null. */
  conflict(database: number, args: readonly Buffer[]): readonly (string | Buffer)[] | null;
  /** Slots of this node belong to others now: these commands were not executed and go to them, before anything else. */
  moved(moves: readonly SlotMove[], units: readonly SentUnit[], position: number): Promise<void>;
  /** The connection can not go on. */
  lost(error: FerryError): void;
}

export interface WriterOptions extends ConnectionOptions {
  /** CLIENT SETNAME of the connection. */
  readonly clientName: string;
  /** Connections of that name that are there already are killed first. */
  readonly fence: boolean;
  /** The target is in import-mode. */
  readonly importSource: boolean;
  readonly inFlightBytes: number;
  readonly flushDelayMs: number;
}

export class NodeWriter {
  readonly address: string;
  /** The open batch's buffer, to append to at the place that `reserve` gives. */
  out: Buffer = Buffer.alloc(0);
  /** Unanswered bytes, the open batch not counted. */
  inFlightBytes = 0;
  readonly #options: WriterOptions;
  readonly #owner: WriterOwner;
  readonly #pool: BufferPool;
  readonly #connection: Connection;
  #open: Batch | null = null;
  readonly #inFlight: Batch[] = [];
  /** Answered, but kept: part of a block under way, or of what goes again. */
  #kept: Batch[] = [];
  /** Closed while the target could not take writes; they follow what goes again. */
  readonly #held: Batch[] = [];
  #database = 0;
  #kind: BatchKind = 'snapshot';
  #waiting: string | null = null;
  #retryDelayMs = 0;
  #retryTimer: NodeJS.Timeout | null = null;
  #flushTimer: NodeJS.Timeout | null = null;
  /** What the replies in flight told of slots that went away. */
  #moves: SlotMove[] = [];
  /** Not sent, and on their way to other nodes. */
  #handing: Batch[] = [];
  #insideBlock = false;
  #ended = false;

  constructor(options: WriterOptions, owner: WriterOwner, pool: BufferPool) {
    this.#options = options;
    this.#owner = owner;
    this.#pool = pool;
    this.#connection = new Connection({ ...options, readBufferBytes: REPLY_BUFFER_BYTES });
    this.address = this.#connection.address;
  }

  /** Connects, authenticates, names the connection. @throws FerryError */
  async open(): Promise<void> {
    await this.#connection.open();
    const { clientName, fence, importSource } = this.#options;
    await this.#connection.request(['CLIENT', 'SETNAME', clientName]);
    if (fence) await killFormerConnections(this.#connection, clientName);
    if (importSource) await becomeImportSource(this.#connection);
    const replies = new ReplyReader({
      succeeded: (count) => this.#succeeded(count),
      failed: (text) => this.#failed(text),
      nothing: () => this.#nothing(),
      partlyFailed: (errors) => this.#partlyFailed(errors),
    });
    this.#connection.listen(
      (bytes) => {
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

  /** Why nothing is sent at present, as part of a sentence, or null. */
  get waiting(): string | null {
    return this.#waiting;
  }

  get saturated(): boolean {
    return this.#waiting !== null || this.inFlightBytes >= this.#options.inFlightBytes;
  }

  /** Nothing appended is without its reply. */
  get idle(): boolean {
    return this.#open === null && this.#inFlight.length === 0 && this.#kept.length === 0 && this.#held.length === 0;
  }

  /** Everything before this position has taken effect here; Infinity when nothing is outstanding. */
  get settledPosition(): number {
    // Not only the oldest: what was handed over by another node has an earlier position than what stands before it.
    let least = this.#open?.position ?? Number.POSITIVE_INFINITY;
    for (const batches of [this.#kept, this.#inFlight, this.#held, this.#handing]) {
      for (const batch of batches) least = Math.min(least, batch.position);
    }
    return least;
  }

  /** What is appended from now on belongs to this part of the source. */
  setKind(kind: BatchKind): void {
    if (kind === this.#kind) return;
    this.#close();
    this.#kind = kind;
  }

  /** Between MULTI and EXEC the batches are kept together. */
  setInsideBlock(inside: boolean): void {
    this.#insideBlock = inside;
  }

  /**
   * Makes room for `bytes` in `out` behind a SELECT of `database` where one is needed; gives the place to append at.
   * `commit` must follow before anything else is reserved.
   */
  reserve(bytes: number, database: number): number {
    const needed = bytes + SELECT_BYTES;
    if (this.#open !== null && this.#open.length + needed > this.out.length) this.#close();
    if (this.#open === null) {
      const buffer = needed <= this.#pool.bufferBytes ? this.#pool.take() : Buffer.allocUnsafeSlow(needed);
      this.#open = new Batch(buffer, this.#kind, this.#owner.position, this.#database);
      this.out = buffer;
    }
    const batch = this.#open;
    if (database !== this.#database) {
      this.out.set(SELECT_HEAD, batch.length);
      batch.length = putBulkNumber(this.out, batch.length + SELECT_HEAD.length, database);
      batch.commands++;
      this.#database = database;
    }
    return batch.length;
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
  commitWithTail(end: number, tail: readonly Buffer[], keys: number): void {
    this.commit(end, keys, 0);
    (this.#open as Batch).tail = tail;
    this.#close();
  }

  /** Sends what was appended, unless it is better to gather a little more; `now` allows no such thought. */
  flush(now: boolean): void {
    const batch = this.#open;
    if (batch === null || this.#waiting !== null) return;
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

  /** Closes without a word; what is unanswered stays unsettled. */
  destroy(): void {
    this.#ended = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    if (this.#flushTimer !== null) clearTimeout(this.#flushTimer);
    this.#connection.destroy();
  }

  #close(): void {
    const batch = this.#open;
    if (batch === null) return;
    batch.joined = this.#insideBlock;
    this.#open = null;
    if (this.#waiting === null) {
      this.#send(batch);
    } else {
      // Appended before the owner saw that we wait: it follows what goes again.
      this.#held.push(batch);
    }
  }

  #send(batch: Batch): void {
    this.#inFlight.push(batch);
    this.inFlightBytes += batch.bytes;
    this.#connection.write(batch.buffer.subarray(0, batch.length));
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
    const index = batch.answered;
    const verdict = judgeReply(text);
    switch (verdict.meaning) {
      case 'conflict':
        this.#conflict(batch, index);
        break;
      case 'wait':
        batch.again.push(index);
        this.#waiting = `the target ${this.address} ${verdict.remedy} (${text}); trying again every second`;
        this.#retryDelayMs = RETRY_MS;
        break;
      case 'aborted':
        batch.again.push(index);
        this.#waiting ??= `a transaction goes to ${this.address} again without the command it refused`;
        break;
      case 'moved': {
        const move = batch.kind === 'stream' ? readMoved(text) : null;
        if (move === null) {
          this.#end(`The target ${this.address} ${verdict.remedy} (${text}).`, null);
          return;
        }
        batch.again.push(index);
        this.#moves.push(move);
        this.#waiting ??= `slots of the target ${this.address} have moved, and their commands follow them`;
        break;
      }
      case 'fatal':
        this.#end(`The target ${this.address} ${verdict.remedy} (${text}).`, null);
        return;
      case 'refused':
        batch.refused.push(index);
        this.#owner.refused({ database: this.#databaseAt(batch, index), args: batch.commandAt(index), reason: text });
        break;
    }
    this.#succeeded(1);
  }

  #nothing(): void {
    const batch = this.#inFlight[0];
    if (batch?.kind === 'snapshot') this.#conflict(batch, batch.answered);
    this.#succeeded(1);
  }

  #partlyFailed(errors: readonly string[]): void {
    const batch = this.#inFlight[0];
    if (batch !== undefined) {
      for (const reason of errors) {
        this.#owner.refused({
          database: this.#database,
          args: batch.commandAt(batch.answered),
          reason: `inside EXEC: ${reason}`,
        });
      }
    }
    this.#succeeded(1);
  }

  #conflict(batch: Batch, index: number): void {
    const database = this.#databaseAt(batch, index);
    const instead = this.#owner.conflict(database, batch.commandAt(index));
    if (instead === null) return;
    const bytes = encodeCommand(instead);
    const at = this.reserve(bytes.length, database);
    this.out.set(bytes, at);
    const open = this.#open as Batch;
    open.length = at + bytes.length;
    // Its key was counted with the first attempt.
    open.commands++;
  }

  #databaseAt(batch: Batch, index: number): number {
    let database = batch.database;
    let i = 0;
    for (const args of batch.arguments()) {
      if (i++ === index) break;
      if (args.length === 2 && args[0]?.toString('latin1') === 'SELECT') database = Number(args[1]?.toString());
    }
    return database;
  }

  #batchAnswered(batch: Batch): void {
    this.#inFlight.shift();
    this.inFlightBytes -= batch.bytes;
    this.#kept.push(batch);
    if (this.#waiting !== null) {
      if (this.#inFlight.length > 0) return;
      if (this.#kept.some((kept) => kept.again.length > 0)) {
        if (this.#moves.length > 0) void this.#handOver();
        else this.#scheduleRetry();
        return;
      }
      this.#waiting = null;
      this.#retryDelayMs = 0;
      this.#release();
      while (this.#held.length > 0) this.#send(this.#held.shift() as Batch);
    } else if (!batch.joined) {
      this.#release();
    }
    if (this.#inFlight.length === 0 || (this.#open !== null && this.#open.length >= SMALL_BATCH_BYTES))
      this.flush(false);
  }

  /** @param uncounted commands among them that are counted elsewhere. */
  #release(uncounted = 0): void {
    let keys = 0;
    let streamCommands = -uncounted;
    for (const batch of this.#kept) {
      keys += batch.keys;
      streamCommands += batch.streamCommands;
      this.#pool.give(batch.buffer);
      batch.freeTail();
    }
    this.#kept = [];
    this.#owner.answered(keys, streamCommands);
  }

  /** Everything is answered: what the target did not take goes to the slots' new owners, and so does what waits behind. */
  async #handOver(): Promise<void> {
    const moves = this.#moves;
    this.#moves = [];
    this.#handing = this.#open === null ? [...this.#held] : [...this.#held, this.#open];
    this.#held.length = 0;
    this.#open = null;
    const refused = unitsAgain(this.#kept, false);
    try {
      // The batches are kept until it is done: nothing of them counts as applied before.
      const again = [...refused, ...unitsAgain(this.#handing, true)];
      await this.#owner.moved(moves, again, this.#kept[0]?.position ?? 0);
    } catch (error) {
      this.#end(`The new owner of a slot of ${this.address} could not be reached (${messageOf(error)}).`, error);
      return;
    }
    if (this.#ended) return;
    for (const batch of this.#handing) this.#pool.give(batch.buffer);
    this.#handing = [];
    this.#waiting = null;
    this.#release(refused.reduce((sum, unit) => sum + unit.length, 0));
    // What of it belongs to this node was appended again meanwhile.
    while (this.#held.length > 0) this.#send(this.#held.shift() as Batch);
    this.flush(true);
  }

  #scheduleRetry(): void {
    this.#retryTimer ??= setTimeout(() => {
      this.#retryTimer = null;
      if (!this.#ended) this.#retry();
    }, this.#retryDelayMs);
  }

  /** Everything is answered: sends again what did not pass. What was held follows when that has passed. */
  #retry(): void {
    const kept = this.#kept;
    const first = kept[0];
    if (first === undefined) return;
    const next = this.#held[0] ?? this.#open;
    const plan = planRetry(kept, next?.database ?? this.#database);
    for (const { database, args } of plan.overtaken) {
      this.#owner.refused({
        database,
        args,
        reason: 'took effect before an earlier write to its key, which the target had put off',
      });
    }
    const batch = new Batch(plan.bytes, first.kind, first.position, 0);
    batch.length = plan.bytes.length;
    batch.commands = plan.commands;
    for (const answered of kept) {
      batch.keys += answered.keys;
      batch.streamCommands += answered.streamCommands;
      this.#pool.give(answered.buffer);
      answered.freeTail();
    }
    this.#kept = [];
    this.#send(batch);
  }

  #end(message: string, cause: unknown): void {
    if (this.#ended) return;
    this.destroy();
    this.#owner.lost(new FerryError(message, { code: 'target-lost', cause }));
  }
}
