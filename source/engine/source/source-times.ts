// When the source has executed what of its stream: how old the first byte is that is not applied yet, and which time an expiry
// counts from that arrives relative.

import { ExpiryRewriter, sendsRelativeExpiries } from '../../protocol/absolute-expiry.ts';
import type { ServerOrigin } from '../run/shard-job.ts';
import { LagMarks } from '../shard/lag-marks.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { steadyMs } from '../steady-clock.ts';
import { AbsoluteCommands } from '../target/absolute-commands.ts';
import { SourceClock } from './source-clock.ts';

export interface TimesHost {
  /** Null before the stream. */
  appliedOffset(): number | null;
  /** Replication offset of the last byte of the command that was read last. */
  handledOffset(): number;
  once(level: 'warn', message: string): void;
}

export class SourceTimes {
  readonly #host: TimesHost;
  readonly #received = new LagMarks();
  /** Of a source whose expiries arrive relative. */
  readonly #clock: SourceClock | null;

  constructor({ address, endpoint, version }: ServerOrigin, host: TimesHost) {
    this.#host = host;
    const { tls, credentials, connectTimeoutMs } = endpoint;
    this.#clock = sendsRelativeExpiries(version)
      ? new SourceClock({
          connection: { address, tls, credentials, connectTimeoutMs },
          appliedOffset: () => host.appliedOffset(),
          onNotice: (message) => host.once('warn', message),
        })
      : null;
  }

  /** Resolves when the source's time is known where it is needed, or not to be had. */
  get ready(): Promise<void> {
    return this.#clock?.ready ?? Promise.resolve();
  }

  start(): void {
    this.#clock?.start();
  }

  stop(): void {
    this.#clock?.stop();
  }

  /** The stream was received up to `offset` at `nowMs`, by steadyMs. */
  received(offset: number, nowMs: number): void {
    this.#received.received(offset, nowMs);
  }

  /** Seconds since the first byte behind `applied` was received; 0 when there is none. */
  ageSeconds(applied: number, received: number): number {
    return this.#received.ageSeconds(applied, received, steadyMs());
  }

  /** Puts what makes expiries absolute in front of who takes the commands, where source or target need it. */
  absolute(target: CommandTaker, setTakesExpiry: boolean): CommandTaker {
    if (this.#clock === null && setTakesExpiry) return target;
    return new AbsoluteCommands(target, new ExpiryRewriter({ setTakesExpiry }), () => this.#executedAtMs());
  }

  /** When the source executed the command that was read last, unix ms by its own clock. */
  #executedAtMs(): number {
    const offset = this.#host.handledOffset();
    const receivedAtMs = this.#received.receivedAtMs(offset);
    return Math.min(receivedAtMs, this.#clock?.reachedAtMs(offset) ?? receivedAtMs) + (this.#clock?.offsetMs ?? 0);
  }
}
