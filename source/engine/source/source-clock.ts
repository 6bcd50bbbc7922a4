// How far a source's clock is from ours, and when the source had come how far: for expiries that arrive relative (sources
// before Redis 7.0). Asked on a connection of its own, read-only: TIME and INFO.
//
//   the source executed the command that ends at `offset` at about, unix ms by its own clock,
//   min(when we received that byte, clock.reachedAtMs(offset)) + clock.offsetMs
//
// Receiving alone is not enough: what is written while the source makes and sends its snapshot waits in the source's output
// buffer until the snapshot is through, and while we do not read so does everything.
import { Connection, type ConnectionOptions } from '../../protocol/connection.ts';
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { FerryError } from '../errors.ts';
import { LagMarks } from '../shard/lag-marks.ts';
import { steadyMs } from '../steady-clock.ts';

export interface ClockRhythm {
  readonly measureMs: number;
  /** How often the source's offset is read: `reachedAtMs` is late by up to this. */
  readonly lookMs: number;
  /** So long `ready` waits for a source that does not answer; what is wrong with it the link beside us says. */
  readonly waitMs: number;
}

export interface SourceClockOptions {
  readonly connection: ConnectionOptions;
  /** What is applied needs no time any more; null before the stream. */
  readonly appliedOffset: () => number | null;
  /** A sentence for a person about what can not be measured. */
  readonly onNotice?: (message: string) => void;
  readonly rhythm?: ClockRhythm;
}

const RHYTHM: ClockRhythm = { measureMs: 30_000, lookMs: 250, waitMs: 10_000 };
/** After a connection that broke or could not be made. */
const RETRY_MS = 1000;
/** The one with the least round trip counts: the others met a busy server, or a busy thread here. */
const SAMPLES = 5;
/** Our clock begins with a Date.now, which cuts a millisecond off: half of one on average. */
const CLOCK_GRAIN_MS = 0.5;
const TIME = encodeCommand(['TIME']);
const INFO = encodeCommand(['INFO', 'replication']);
const TIME_REPLY = /^\*2\r\n\$\d+\r\n(\d+)\r\n\$\d+\r\n(\d+)\r\n$/;
/** States of a server that pass. */
const NOT_NOW = /^-(LOADING|BUSY|MASTERDOWN)/;

interface Answer {
  readonly text: string;
  /** Halfway between asking and the answer, by our clock (steadyMs). */
  readonly middleMs: number;
  readonly roundTripMs: number;
}

export class SourceClock {
  /** The source's clock minus ours; 0 until it was measured. */
  offsetMs = 0;
  /** offsetMs is not further off than this; null: it was not measured. */
  errorMs: number | null = null;
  /** Resolves when offsetMs is as good as can be had: measured, refused, or not to be had in time. Never rejects. */
  readonly ready: Promise<void>;
  readonly #options: SourceClockOptions;
  readonly #rhythm: ClockRhythm;
  readonly #reached = new LagMarks();
  readonly #settle: () => void;
  readonly #stop = new AbortController();
  #connection: Connection | null = null;
  #timer: NodeJS.Timeout | null = null;
  #deadline: NodeJS.Timeout | null = null;
  #measuredAt = Number.NEGATIVE_INFINITY;
  #timeRefused = false;
  #offsetRefused = false;

  constructor(options: SourceClockOptions) {
    this.#options = options;
    this.#rhythm = options.rhythm ?? RHYTHM;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#settle = () => {
      if (this.#deadline !== null) clearTimeout(this.#deadline);
      resolve();
    };
  }

  start(): void {
    const { waitMs } = this.#rhythm;
    this.#deadline = setTimeout(() => {
      this.#notice(`has not told its time within ${waitMs / 1000} s`, 'until it does, its expiries go by our clock');
      this.#settle();
    }, waitMs);
    void this.#round();
  }

  stop(): void {
    this.#stop.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#connection?.destroy();
    this.#settle();
  }

  /** By when the source had executed everything up to `offset`, by our clock (steadyMs); Infinity when that is not known yet. */
  reachedAtMs(offset: number): number {
    return this.#reached.receivedAtMs(offset, Number.POSITIVE_INFINITY);
  }

  /** One look, and a measurement when it is time. What goes wrong with the connection is tried again with the next. */
  async #round(): Promise<void> {
    let pauseMs = this.#rhythm.lookMs;
    try {
      const connection = await this.#connected();
      if (!this.#timeRefused && performance.now() - this.#measuredAt >= this.#rhythm.measureMs) {
        await this.#measure(connection);
      }
      if (!this.#offsetRefused) await this.#look(connection);
    } catch (error) {
      this.#connection?.destroy();
      this.#connection = null;
      pauseMs = RETRY_MS;
      if (error instanceof FerryError && !error.retriable) this.#refused(error.message);
    }
    if (this.#stop.signal.aborted) return;
    if (this.#timeRefused && this.#offsetRefused) this.#connection?.destroy();
    else this.#timer = setTimeout(() => void this.#round(), pauseMs);
  }

  async #connected(): Promise<Connection> {
    if (this.#connection !== null && !this.#connection.closed) return this.#connection;
    const connection = new Connection(this.#options.connection);
    this.#connection = connection;
    await connection.open();
    return connection;
  }

  async #measure(connection: Connection): Promise<void> {
    let offsetMs = 0;
    let errorMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < SAMPLES; i++) {
      const { text, middleMs, roundTripMs } = await this.#ask(connection, TIME);
      const [, seconds, microseconds] = TIME_REPLY.exec(text) ?? [];
      if (seconds === undefined || microseconds === undefined) {
        this.#timeRefused = true;
        this.#notice(`does not tell its time (${line(text)})`, 'its expiries go by our clock; grant +time');
        break;
      }
      if (roundTripMs / 2 + CLOCK_GRAIN_MS >= errorMs) continue;
      errorMs = roundTripMs / 2 + CLOCK_GRAIN_MS;
      offsetMs = Number(seconds) * 1000 + Number(microseconds) / 1000 - (middleMs + CLOCK_GRAIN_MS);
    }
    if (!this.#timeRefused) {
      this.offsetMs = offsetMs;
      this.errorMs = errorMs;
      this.#measuredAt = performance.now();
    }
    this.#settle();
  }

  async #look(connection: Connection): Promise<void> {
    const { text } = await this.#ask(connection, INFO);
    const offset = /^master_repl_offset:(\d+)/m.exec(text)?.[1];
    if (offset === undefined) {
      this.#offsetRefused = true;
      this.#notice(
        `does not tell its replication offset (${line(text)})`,
        'expiries set while its snapshot is made count from their arrival here; grant +info',
      );
      return;
    }
    this.#reached.received(Number(offset), steadyMs());
    this.#reached.forget(this.#options.appliedOffset() ?? 0);
  }

  /** The whole reply. @throws FerryError, retriable, when none comes or the server can not answer now. */
  #ask(connection: Connection, command: Buffer): Promise<Answer> {
    const { signal } = this.#stop;
    const { connectTimeoutMs } = this.#options.connection;
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        done();
        reject(new FerryError(`${connection.address} ${reason}`, { code: 'source-clock', retriable: true }));
      };
      const stopped = (): void => fail('is asked no more.');
      const timer = setTimeout(() => fail(`did not answer within ${connectTimeoutMs / 1000} s.`), connectTimeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', stopped);
      };
      let text = '';
      const sentAtMs = steadyMs();
      const sentAt = performance.now();
      connection.listen(
        (bytes) => {
          text += bytes.toString('latin1');
          if (!isWhole(text)) return true;
          const roundTripMs = performance.now() - sentAt;
          if (NOT_NOW.test(text)) fail(`answered ${line(text)}.`);
          else {
            done();
            resolve({ text, middleMs: (sentAtMs + steadyMs()) / 2, roundTripMs });
          }
          return true;
        },
        () => fail('closed the connection.'),
      );
      if (signal.aborted) stopped();
      else {
        signal.addEventListener('abort', stopped);
        connection.write(command);
      }
    });
  }

  /** The credentials are refused: no use in trying them every second. */
  #refused(reason: string): void {
    this.#timeRefused = true;
    this.#offsetRefused = true;
    this.#options.onNotice?.(`${reason} Its expiries go by our clock.`);
    this.#settle();
  }

  #notice(fault: string, consequence: string): void {
    this.#options.onNotice?.(`The source ${this.#connection?.address ?? ''} ${fault}: ${consequence}.`);
  }
}

/** A line, a bulk string, or the two of TIME. */
function isWhole(text: string): boolean {
  if (text.startsWith('*')) return TIME_REPLY.test(text);
  const lineEnd = text.indexOf('\r\n');
  if (lineEnd < 0) return false;
  return !text.startsWith('$') || text.length >= lineEnd + 4 + Number(text.slice(1, lineEnd));
}

function line(text: string): string {
  return text.slice(0, text.indexOf('\r\n')).replace(/^-/, '');
}
