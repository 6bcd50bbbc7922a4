// The client's side of one connection to a run: asks, gets answers, and is told of new pictures.
import { connect, type Socket } from 'node:net';
import type { CommandOutcome, EngineCommand } from '../engine/contract/command.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import { FerryError, messageOf } from '../engine/errors.ts';
import { LineCutter } from './lines.ts';
import {
  type Answer,
  answerSchema,
  type Hello,
  LONGEST_ANSWER_CHARACTERS,
  lineOf,
  PROTOCOL_VERSION,
  parseLine,
  RELEASE,
  type RemoteConfirmation,
  type RequestBody,
} from './wire.ts';

export interface ControlLinkOptions {
  /** How this program calls itself in the run's audit log. */
  readonly client: string;
  readonly onSnapshot: (snapshot: EngineSnapshot) => void;
  /** Called once, when the connection has gone, whoever ended it. */
  readonly onClosed: () => void;
  /** How long the run may take for its first word, and for an answer. */
  readonly timeoutMs?: number;
}

/** The run's main thread answers within milliseconds; longer than this it hangs. */
const TIMEOUT_MS = 10_000;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class ControlLink {
  readonly #socket: Socket;
  readonly #options: ControlLinkOptions;
  readonly #cutter = new LineCutter(LONGEST_ANSWER_CHARACTERS);
  readonly #waiting = new Map<number, Waiting>();
  readonly #greeted = Promise.withResolvers<Hello>();
  #questions = 0;
  #failure: FerryError | null = null;

  /**
   * Connects and waits for the run's greeting.
   * @throws FerryError `control` when nobody listens there, nothing comes back, or another protocol is spoken.
   */
  static async open(path: string, options: ControlLinkOptions): Promise<{ link: ControlLink; hello: Hello }> {
    const link = new ControlLink(path, options);
    try {
      return { link, hello: await link.#within(link.#greeted.promise, 'The run does not greet') };
    } catch (error) {
      link.close();
      throw error;
    }
  }

  private constructor(path: string, options: ControlLinkOptions) {
    this.#options = options;
    this.#socket = connect(path);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (piece) => this.#take(String(piece)));
    this.#socket.on('error', (error) =>
      this.#fail(controlError(`The run can not be reached: ${error.message}.`, error)),
    );
    this.#socket.on('close', () => {
      this.#fail(controlError('The connection to the run was closed.'));
      options.onClosed();
    });
    // Whoever opened the link hears of it by the question that waits.
    this.#greeted.promise.catch(() => {});
  }

  async snapshot(): Promise<EngineSnapshot> {
    return snapshotOf(await this.#ask({ type: 'snapshot' }));
  }

  /** The present picture; from then on `onSnapshot` is called at each new one. */
  async subscribe(): Promise<EngineSnapshot> {
    return snapshotOf(await this.#ask({ type: 'subscribe' }));
  }

  /** @throws FerryError `control` when the connection went before the answer: the command may have been obeyed. */
  async dispatch(command: EngineCommand, confirmed: RemoteConfirmation): Promise<CommandOutcome> {
    const answer = await this.#ask({ type: 'dispatch', client: this.#options.client, confirmed, command });
    if (answer.type !== 'outcome') throw unexpected(answer);
    return answer.outcome;
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(body: RequestBody): Promise<Answer> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#questions += 1;
    const id = this.#questions;
    const answer = new Promise<Answer>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.write(lineOf({ id, ...body }));
    return this.#within(answer, 'The run does not answer').finally(() => this.#waiting.delete(id));
  }

  async #within<T>(promise: Promise<T>, what: string): Promise<T> {
    const timeoutMs = this.#options.timeoutMs ?? TIMEOUT_MS;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(controlError(`${what} within ${timeoutMs / 1000} s.`)), timeoutMs);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #take(piece: string): void {
    try {
      for (const line of this.#cutter.take(piece)) this.#answer(line);
    } catch (error) {
      this.#fail(error instanceof FerryError ? error : controlError(messageOf(error), error));
      this.#socket.destroy();
    }
  }

  #answer(line: string): void {
    const parsed = parseLine(line);
    if (parsed === undefined) throw controlError('What answers is no redferry: it does not speak JSON lines.');
    if (parsed.version !== PROTOCOL_VERSION) throw controlError(otherVersion(parsed.value, parsed.version));
    const known = answerSchema.safeParse(parsed.value);
    if (!known.success) throw controlError('The run answered in a way that this release does not know.');
    const answer = known.data;
    switch (answer.type) {
      case 'hello':
        this.#greeted.resolve(answer);
        return;
      case 'error':
        if (answer.id === null) throw controlError(answer.message);
        this.#waiting.get(answer.id)?.reject(controlError(answer.message));
        return;
      case 'snapshot':
        if (answer.id === null) this.#options.onSnapshot(answer.snapshot);
        else this.#waiting.get(answer.id)?.resolve(answer);
        return;
      case 'outcome':
        this.#waiting.get(answer.id)?.resolve(answer);
    }
  }

  /** Every question that waits ends with the first thing that went wrong. */
  #fail(error: FerryError): void {
    this.#failure ??= error;
    this.#greeted.reject(this.#failure);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
  }
}

function snapshotOf(answer: Answer): EngineSnapshot {
  if (answer.type !== 'snapshot') throw unexpected(answer);
  return answer.snapshot;
}

function unexpected(answer: Answer): FerryError {
  return controlError(`The run answered with "${answer.type}" to another question.`);
}

function controlError(message: string, cause?: unknown): FerryError {
  return new FerryError(message, { code: 'control', cause });
}

function otherVersion(value: unknown, version: unknown): string {
  const theirs = typeof value === 'object' && value !== null && 'release' in value ? String(value.release) : 'another';
  return `The run is of redferry ${theirs}, which speaks version ${String(version)} of the control protocol; this is redferry ${RELEASE}, which speaks version ${PROTOCOL_VERSION}. Use the redferry that started the run.`;
}
