// One plain connection for comparing: whole batches are written at once and their replies come back as one array.
// ioredis costs 3 to 5 us a command in promises, which is 20 us a compared key; this costs a fifth of it. It never
// reconnects: a comparison over a link that broke is not one to believe, so every open batch fails.

import type { Socket } from 'node:net';
import { type Reply, ReplyError, RespReader } from './resp-reader.ts';
import { formatPlace, openSocket, type SocketOptions } from './socket.ts';

export type Argument = string | number | Buffer;
export type Command = readonly Argument[];

export interface ConnectionOptions extends SocketOptions {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** What CLIENT LIST shows; without blanks. */
  readonly name?: string | undefined;
}

/** The commands that a new connection begins with. The reply to the last one matters to nobody. */
export function greeting({ username, password, name }: ConnectionOptions): {
  login: Command | null;
  name: Command | null;
} {
  return {
    login: password === undefined ? null : username === undefined ? ['AUTH', password] : ['AUTH', username, password],
    name: name === undefined ? null : ['CLIENT', 'SETNAME', name],
  };
}

interface Batch {
  readonly replies: Reply[];
  readonly expected: number;
  /** A SELECT that was put in front of the batch: its reply is checked and taken off. */
  readonly selected: boolean;
  readonly resolve: (replies: Reply[]) => void;
  readonly reject: (error: Error) => void;
}

export class Connection {
  readonly address: string;
  readonly #socket: Socket;
  /** Open batches in wire order, `#first` is the oldest: an array's shift() would copy it each time. */
  #batches: Batch[] = [];
  #first = 0;
  #database = 0;
  #corked = false;
  #failure: Error | null = null;

  private constructor(socket: Socket, address: string) {
    this.#socket = socket;
    this.address = address;
    const reader = new RespReader((reply) => this.#onReply(reply));
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
    });
    socket.on('error', (error) => this.#fail(new Error(`the link to ${address} broke: ${error.message}`)));
    socket.on('close', () => this.#fail(new Error(`${address} closed the link while comparing`)));
  }

  /** Connects and logs in; throws with one sentence that names the address. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(await openSocket(options), formatPlace(options));
    const { login, name } = greeting(options);
    try {
      if (login !== null) await connection.call(login);
      // A server that refuses the name, or does not know names, can be read all the same.
      if (name !== null) await connection.batch([name]);
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** Sends the commands in one write; error replies come back as values. */
  batch(commands: readonly Command[], database = 0): Promise<Reply[]> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (commands.length === 0) return Promise.resolve([]);
    const selected = database !== this.#database;
    this.#database = database;
    return new Promise<Reply[]>((resolve, reject) => {
      const expected = commands.length + (selected ? 1 : 0);
      this.#batches.push({ replies: [], expected, selected, resolve, reject });
      this.#write(encode(selected ? [['SELECT', database], ...commands] : commands));
    });
  }

  /** One command whose error reply throws. */
  async call(command: Command, database = 0): Promise<Reply> {
    const [reply] = await this.batch([command], database);
    if (reply instanceof ReplyError) {
      throw new Error(`${this.address} refused ${String(command[0])}: ${reply.message}`);
    }
    return reply ?? null;
  }

  close(): void {
    this.#failure ??= new Error(`the link to ${this.address} was closed`);
    this.#socket.destroy();
  }

  /** Small batches of one moment leave in one system call. */
  #write(bytes: Buffer): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }

  #onReply(reply: Reply): void {
    const batch = this.#batches[this.#first];
    if (batch === undefined) {
      this.#fail(new Error(`${this.address} sent a reply that nobody asked for`));
      return;
    }
    batch.replies.push(reply);
    if (batch.replies.length < batch.expected) return;
    this.#first += 1;
    if (this.#first === this.#batches.length) {
      this.#batches = [];
      this.#first = 0;
    }
    const selection = batch.selected ? batch.replies.shift() : null;
    if (selection instanceof ReplyError)
      batch.reject(new Error(`${this.address} refused SELECT: ${selection.message}`));
    else batch.resolve(batch.replies);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const open = this.#batches.slice(this.#first);
    this.#batches = [];
    this.#first = 0;
    for (const batch of open) batch.reject(this.#failure);
    this.#socket.destroy();
  }
}

const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
/** Up to this length a plain loop is faster than Buffer's own copy or write, by a factor of three to five. */
const SHORT = 48;

/** Measures first, then fills one buffer; almost all of a comparison's bytes are short names and short keys. */
export function encode(commands: readonly Command[]): Buffer {
  let size = 0;
  for (const command of commands) {
    size += headerSize(command.length);
    for (const argument of command) {
      const length = argumentLength(argument);
      size += headerSize(length) + length + 2;
    }
  }
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const command of commands) {
    at = writeHeader(out, at, ASTERISK, command.length);
    for (const argument of command) {
      const length = argumentLength(argument);
      at = writeHeader(out, at, DOLLAR, length);
      if (typeof argument === 'number') out.write(String(argument), at, 'latin1');
      else if (typeof argument === 'string') writeText(out, at, argument, length);
      else if (length > SHORT) argument.copy(out, at);
      else for (let i = 0; i < length; i++) out[at + i] = argument[i] ?? 0;
      at += length;
      out[at++] = CR;
      out[at++] = LF;
    }
  }
  return out;
}

function writeText(out: Buffer, at: number, text: string, length: number): void {
  // As many bytes as characters: it is all ASCII.
  if (length === text.length && length <= SHORT) for (let i = 0; i < length; i++) out[at + i] = text.charCodeAt(i);
  else out.write(text, at, 'utf8');
}

function writeHeader(out: Buffer, at: number, mark: number, value: number): number {
  const end = at + headerSize(value);
  out[at] = mark;
  out[end - 2] = CR;
  out[end - 1] = LF;
  let rest = value;
  for (let place = end - 3; place > at; place--) {
    out[place] = ZERO + (rest % 10);
    rest = Math.floor(rest / 10);
  }
  return end;
}

function argumentLength(argument: Argument): number {
  if (typeof argument === 'number') return String(argument).length;
  return typeof argument === 'string' ? textLength(argument) : argument.length;
}

function textLength(text: string): number {
  if (text.length > SHORT) return Buffer.byteLength(text);
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text);
  return text.length;
}

/** `*` or `$`, the digits, CR LF. */
function headerSize(value: number): number {
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits += 1;
  return digits + 3;
}
