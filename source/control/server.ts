// The local control socket of a run: gives its pictures to clients and hands their commands to the engine. Only the user who
// runs it can connect (socket 0600 in a folder 0700). Nothing a client does, or fails to do, may slow the run or cost it
// more memory than one picture a client.
import { chmod, unlink } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { thisProcess } from '../checkpoint/process-identity.ts';
import type { CommandOutcome, EngineCommand } from '../engine/contract/command.ts';
import type { Engine } from '../engine/contract/engine.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Order } from '../engine/contract/order.ts';
import { FerryError, messageOf } from '../engine/errors.ts';
import { ClientLink } from './client-link.ts';
import { COMMAND_TYPES, commandIn } from './command-schema.ts';
import { LineCutter } from './lines.ts';
import { addRun, isListening, livingRuns, placeForSocket, type RunRecord, removeRun } from './run-registry.ts';
import {
  LONGEST_REQUEST_CHARACTERS,
  lineOf,
  PROTOCOL_VERSION,
  parseLine,
  RELEASE,
  type Request,
  requestSchema,
  snapshotLine,
} from './wire.ts';

export interface ControlServerOptions {
  readonly run: string;
  /** Where records and sockets of runs lie, see run-registry.ts. */
  readonly folder: string;
  readonly source: string;
  readonly target: string;
  readonly logFile: string | null;
  readonly startedAtMs: number;
  /** How long a client may take to read one line. */
  readonly stuckMs?: number;
}

/** Pictures a subscriber gets at most in this time: one. */
const PUSH_EVERY_MS = 250;
const STUCK_MS = 10_000;
/** How long clients have to read the end of the run. */
const LAST_WORDS_MS = 1000;
/** More screens than anybody opens; each may cost a picture. */
const MOST_CLIENTS = 32;
const OWNER_ONLY = 0o600;

export class ControlServer {
  readonly record: RunRecord;
  readonly #engine: Engine;
  readonly #options: ControlServerOptions;
  readonly #server: Server;
  readonly #clients = new Set<ClientLink>();
  readonly #unsubscribe: () => void;
  #connections = 0;
  #pushTimer: NodeJS.Timeout | null = null;
  #written: { readonly snapshot: EngineSnapshot; readonly json: string } | null = null;
  #closed: Promise<void> | null = null;

  /**
   * Listens and makes the run known.
   * @throws FerryError `control` when the socket can not be made, or another process already has this run's.
   */
  static async open(engine: Engine, options: ControlServerOptions): Promise<ControlServer> {
    const { run, folder, source, target, logFile, startedAtMs } = options;
    const own = await thisProcess();
    const socket = await placeForSocket(folder, run);
    // Takes away what killed runs have left.
    await livingRuns(folder, own);
    const server = createServer({ allowHalfOpen: true });
    try {
      await listen(server, socket);
      await chmod(socket, OWNER_ONLY);
      const record: RunRecord = {
        ...{ v: 1, run, release: RELEASE, host: own.host, place: own.place, pid: own.pid },
        ...{ startedAtMs, socket, source, target, logFile },
      };
      await addRun(folder, record);
      return new ControlServer(engine, options, server, record);
    } catch (thrown) {
      server.close();
      if (thrown instanceof FerryError) throw thrown;
      throw new FerryError(`The control socket ${socket} can not be made: ${messageOf(thrown)}.`, {
        code: 'control',
        cause: thrown,
      });
    }
  }

  private constructor(engine: Engine, options: ControlServerOptions, server: Server, record: RunRecord) {
    this.#engine = engine;
    this.#options = options;
    this.#server = server;
    this.record = record;
    // The run's own end is what ends the process.
    server.unref();
    server.on('error', () => {});
    server.on('connection', (socket) => void this.#serve(socket));
    this.#unsubscribe = engine.subscribe(() => this.#pushSoon());
  }

  /** How many clients are connected. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Tells the subscribers the last picture, then takes the socket away. Resolves when both are done; never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#unsubscribe();
    if (this.#pushTimer !== null) clearTimeout(this.#pushTimer);
    await removeRun(this.#options.folder, this.record);
    this.#server.close();
    const clients = [...this.#clients];
    for (const client of clients) if (client.isSubscribed) void client.push(() => this.#newest());
    await Promise.all(clients.map((client) => client.end(LAST_WORDS_MS)));
  }

  async #serve(socket: Socket): Promise<void> {
    this.#connections += 1;
    const number = this.#connections;
    const client = new ClientLink(socket, { stuckMs: this.#options.stuckMs ?? STUCK_MS });
    if (this.#clients.size >= MOST_CLIENTS || this.#closed !== null) {
      await client.write(errorLine(null, `${MOST_CLIENTS} clients are connected to this run already: close some.`));
      socket.destroy();
      return;
    }
    this.#clients.add(client);
    try {
      await client.write(lineOf({ type: 'hello', release: RELEASE, run: this.#options.run, pid: process.pid }));
      await this.#read(socket, client, number);
    } catch {
      // A line too long, or a connection that broke: both end this client and nothing else.
    } finally {
      this.#clients.delete(client);
      if (!socket.destroyed) socket.end(() => socket.destroySoon());
    }
  }

  /** One question after the other, each answered before the next is read: a client can not pile up answers. */
  async #read(socket: Socket, client: ClientLink, number: number): Promise<void> {
    const cutter = new LineCutter(LONGEST_REQUEST_CHARACTERS);
    for await (const piece of socket.setEncoding('utf8')) {
      for (const line of cutter.take(String(piece))) {
        if (line.trim() === '') continue;
        if (!(await this.#answer(line, client, number))) return;
      }
    }
  }

  /** false when the client speaks something else: it is told so and ended. */
  async #answer(line: string, client: ClientLink, number: number): Promise<boolean> {
    const parsed = parseLine(line);
    if (parsed === undefined || parsed.version !== PROTOCOL_VERSION) {
      await client.write(errorLine(null, versionSentence(this.#options.run, parsed?.version)));
      return false;
    }
    const request = requestSchema.safeParse(parsed.value);
    if (!request.success) {
      await client.write(
        errorLine(idIn(parsed.value), 'This is no question of the protocol, or one of its fields is wrong.'),
      );
      return true;
    }
    await client.write(await this.#answerTo(request.data, client, number));
    return true;
  }

  async #answerTo(request: Request, client: ClientLink, number: number): Promise<string> {
    switch (request.type) {
      case 'snapshot':
        return snapshotLine(request.id, this.#json());
      case 'subscribe':
        client.isSubscribed = true;
        return snapshotLine(request.id, this.#json());
      case 'dispatch': {
        const who = `${printableName(request.client)} #${number}`;
        const order: Order = { client: who, confirmed: request.confirmed };
        const outcome = await this.#dispatch(commandIn(request.command), order);
        return lineOf({ type: 'outcome', id: request.id, outcome });
      }
    }
  }

  async #dispatch(command: EngineCommand | null, order: Order): Promise<CommandOutcome> {
    if (command === null) {
      return { accepted: false, message: `This release has no such command: there are ${COMMAND_TYPES.join(', ')}.` };
    }
    // The engine takes a second stop for impatience and gives up what was received. From two people, or from a script
    // that tries again, it is not that.
    if (command.type === 'stop' && this.#engine.snapshot().phase === 'draining') {
      const message = `It is stopping already: what was received is applied first. SIGTERM to process ${process.pid} gives that up.`;
      return { accepted: true, message };
    }
    try {
      return await this.#engine.dispatch(command, order);
    } catch (error) {
      return { accepted: false, message: `The engine failed at this command: ${messageOf(error)}` };
    }
  }

  #pushSoon(): void {
    // A picture costs something: none is painted for nobody.
    if (![...this.#clients].some((client) => client.isSubscribed)) return;
    if (this.#engine.snapshot().phase === 'ended') this.#pushAll();
    else this.#pushTimer ??= setTimeout(() => this.#pushAll(), PUSH_EVERY_MS);
  }

  #pushAll(): void {
    if (this.#pushTimer !== null) clearTimeout(this.#pushTimer);
    this.#pushTimer = null;
    for (const client of this.#clients) if (client.isSubscribed) void client.push(() => this.#newest());
  }

  #newest(): string {
    return snapshotLine(null, this.#json());
  }

  /** The picture as JSON, made once for all clients. */
  #json(): string {
    const snapshot = this.#engine.snapshot();
    if (this.#written?.snapshot !== snapshot) this.#written = { snapshot, json: JSON.stringify(snapshot) };
    return this.#written.json;
  }
}

/** Listens at `path`; takes the place of a socket that a killed process has left. */
async function listen(server: Server, path: string): Promise<void> {
  try {
    await listenOnce(server, path);
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EADDRINUSE')) throw thrown;
    if (await isListening(path)) {
      throw new FerryError(`Another process already has the control socket ${path}: is this run going on twice?`, {
        code: 'control',
      });
    }
    await unlink(path);
    await listenOnce(server, path);
  }
}

function listenOnce(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function errorLine(id: number | null, message: string): string {
  return lineOf({ type: 'error', id, message });
}

function versionSentence(run: string, theirs: unknown): string {
  const said = typeof theirs === 'number' ? `version ${theirs} of the control protocol` : 'something else';
  return `Run ${run} is of redferry ${RELEASE}, which speaks version ${PROTOCOL_VERSION} of the control protocol; this client speaks ${said}. Use the redferry that started the run.`;
}

function idIn(value: unknown): number | null {
  return typeof value === 'object' && value !== null && 'id' in value && Number.isSafeInteger(value.id)
    ? Number(value.id)
    : null;
}

/** A name that can stand in a log: without control characters. */
function printableName(name: string): string {
  return name.replace(/[\p{Cc}\p{Cf}]/gu, '?') || 'unnamed';
}
