// The commands that build a value from its elements, gathered into one MULTI block at a time: a block takes effect whole
// or not at all, so that one which the target put off can be sent again.
import { RespBuilder } from '../protocol/resp-builder.ts';
import type { Slice, StreamFacts, StreamId, ValueKind } from '../rdb/value-sink.ts';

/** What the target's version knows. */
export interface NativeAbilities {
  /** XSETID and XGROUP CREATE take the counters of 7.0. */
  readonly streamCounters: boolean;
  /** XGROUP CREATECONSUMER, of 6.2. */
  readonly createConsumer: boolean;
  /** HPEXPIREAT, of Redis 7.4 and Valkey 9. */
  readonly fieldExpiry: boolean;
}

/** About as many bytes and elements as keep a target busy for a few milliseconds. */
const BLOCK_BYTES = 256 * 1024;
const BLOCK_ELEMENTS = 8192;
const BUILDER_BYTES = BLOCK_BYTES + BLOCK_BYTES / 4;
/** An abandoned temporary key goes by itself; each block renews this. */
const TEMPORARY_MS = 3_600_000;

/** The variadic command of each kind that has one. */
const COMMAND: Readonly<Partial<Record<ValueKind, string>>> = {
  list: 'RPUSH',
  set: 'SADD',
  zset: 'ZADD',
  hash: 'HSET',
};

export interface Block {
  readonly parts: readonly Buffer[];
  /** Replies to expect: MULTI, one QUEUED for each command, EXEC. */
  readonly replies: number;
  /** Places, among the replies of EXEC, of claims: an empty one did not take effect. */
  readonly claims: readonly number[];
}

export class ElementBlock {
  readonly #abilities: NativeAbilities;
  #key: Buffer = Buffer.alloc(0);
  #command: string | null = null;
  /** Arguments of the variadic command. */
  #arguments = new RespBuilder(BUILDER_BYTES);
  #argumentCount = 0;
  /** Whole commands that come behind it. */
  #commands = new RespBuilder(BUILDER_BYTES);
  #commandCount = 0;
  /** Of the block given last, which may still be under way while the next is filled. */
  #spareArguments = new RespBuilder(BUILDER_BYTES);
  #spareCommands = new RespBuilder(BUILDER_BYTES);
  #claims: number[] = [];
  #group: Buffer | null = null;
  #consumer: Buffer | null = null;

  constructor(abilities: NativeAbilities) {
    this.#abilities = abilities;
  }

  /** Begins another value. @param key the temporary key. */
  begin(kind: ValueKind, key: Buffer): void {
    this.#key = key;
    this.#command = COMMAND[kind] ?? null;
    this.#group = null;
    this.#consumer = null;
  }

  get empty(): boolean {
    return this.#argumentCount === 0 && this.#commandCount === 0;
  }

  get full(): boolean {
    return (
      this.#arguments.length + this.#commands.length >= BLOCK_BYTES ||
      this.#argumentCount + this.#commandCount >= BLOCK_ELEMENTS
    );
  }

  text(piece: Slice): void {
    this.#begin('APPEND', 3);
    this.#commands.argument(piece.bytes, piece.start, piece.end);
  }

  element(element: Slice): void {
    this.#argument(element);
  }

  scored(member: Slice, score: number): void {
    this.#arguments.text(scoreText(score));
    this.#argumentCount++;
    this.#argument(member);
  }

  field(field: Slice, value: Slice, expiresAtMs: number): void {
    this.#argument(field);
    this.#argument(value);
    if (expiresAtMs < 0 || !this.#abilities.fieldExpiry) return;
    this.#begin('HPEXPIREAT', 6);
    this.#commands.number(expiresAtMs);
    this.#commands.text('FIELDS');
    this.#commands.text('1');
    this.#commands.argument(field.bytes, field.start, field.end);
  }

  streamEntry(id: StreamId, fields: readonly Slice[], count: number): void {
    this.#begin('XADD', 3 + count);
    this.#commands.text(idText(id));
    for (let i = 0; i < count; i++) {
      const slice = fields[i] as Slice;
      this.#commands.argument(slice.bytes, slice.start, slice.end);
    }
  }

  /** An empty stream: made with a group that goes again, which leaves no trace in its counters. */
  emptyStream(): void {
    this.#add('XGROUP', 'CREATE', this.#key, 'redferry', '0', 'MKSTREAM');
    this.#add('XGROUP', 'DESTROY', this.#key, 'redferry');
  }

  streamFacts(facts: StreamFacts): void {
    const { entriesAdded, maxDeletedId } = facts;
    const counters =
      this.#abilities.streamCounters && entriesAdded !== null && maxDeletedId !== null
        ? ['ENTRIESADDED', String(entriesAdded), 'MAXDELETEDID', idText(maxDeletedId)]
        : [];
    this.#add('XSETID', this.#key, idText(facts.lastId), ...counters);
  }

  group(name: Slice, lastId: StreamId, entriesRead: bigint | null): void {
    this.#group = copyOf(name);
    this.#consumer = null;
    const counter = this.#abilities.streamCounters && entriesRead !== null ? ['ENTRIESREAD', String(entriesRead)] : [];
    this.#add('XGROUP', 'CREATE', this.#key, this.#group, idText(lastId), ...counter);
  }

  consumer(name: Slice): void {
    this.#consumer = copyOf(name);
    if (this.#abilities.createConsumer) {
      this.#add('XGROUP', 'CREATECONSUMER', this.#key, this.#group ?? '', this.#consumer);
    }
  }

  /** Gives false for an entry that no consumer owns: no command makes such a one. */
  pending(id: StreamId, deliveredAtMs: number, deliveries: number): boolean {
    if (this.#group === null || this.#consumer === null) return false;
    this.#claims.push((this.#argumentCount > 0 ? 1 : 0) + this.#commandCount);
    this.#add(
      ...['XCLAIM', this.#key, this.#group, this.#consumer, '0', idText(id)],
      ...['TIME', deliveredAtMs, 'RETRYCOUNT', deliveries, 'FORCE', 'JUSTID'],
    );
    return true;
  }

  /** Gives the block and begins the next one. Its bytes hold until the block after it is taken. */
  take(): Block {
    const head = new RespBuilder(256 + this.#key.length);
    head.add('MULTI');
    let commands = this.#commandCount;
    if (this.#command !== null && this.#argumentCount > 0) {
      head.command(2 + this.#argumentCount);
      head.text(this.#command);
      head.argument(this.#key, 0, this.#key.length);
      commands++;
    }
    const tail = new RespBuilder(256 + this.#key.length);
    tail.add('PEXPIRE', this.#key, TEMPORARY_MS);
    tail.add('EXEC');
    const block = {
      parts: [head.written(), this.#arguments.written(), this.#commands.written(), tail.written()],
      replies: commands + 3,
      claims: this.#claims,
    };
    [this.#arguments, this.#spareArguments] = [this.#spareArguments, this.#arguments];
    [this.#commands, this.#spareCommands] = [this.#spareCommands, this.#commands];
    this.#arguments.clear();
    this.#commands.clear();
    this.#argumentCount = 0;
    this.#commandCount = 0;
    this.#claims = [];
    return block;
  }

  #argument(slice: Slice): void {
    this.#arguments.argument(slice.bytes, slice.start, slice.end);
    this.#argumentCount++;
  }

  /** The head of a command on the temporary key, of `count` arguments with name and key. */
  #begin(name: string, count: number): void {
    this.#commands.command(count);
    this.#commands.text(name);
    this.#commands.argument(this.#key, 0, this.#key.length);
    this.#commandCount++;
  }

  #add(...args: readonly (string | number | Buffer)[]): void {
    this.#commands.add(...args);
    this.#commandCount++;
  }
}

/** The shortest text that reads back as the same double; what strtod of the server takes. */
function scoreText(score: number): string {
  if (Object.is(score, -0)) return '-0';
  if (score === Number.POSITIVE_INFINITY) return 'inf';
  return score === Number.NEGATIVE_INFINITY ? '-inf' : String(score);
}

function idText({ ms, seq }: StreamId): string {
  return `${ms}-${seq}`;
}

function copyOf({ bytes, start, end }: Slice): Buffer {
  return Buffer.from(bytes.subarray(start, end));
}
