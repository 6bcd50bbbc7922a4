// Moves the bytes of one shard from its source through the parsers to the target, in turns, so that the sockets of the
// same thread get theirs. It knows positions, not offsets: every byte of the source has one, from the first.
import type { ByteWindow } from '../../readers/byte-window.ts';
import type { RateGate } from '../rate/rate-gate.ts';
import type { Barrier } from './barrier.ts';
import type { PumpScript } from './pump-script.ts';
import type { ShardTarget } from './shard-target.ts';

/** After this many bytes the pump lets the sockets have a turn. */
const TURN_BYTES = 1024 * 1024;
/** Even a very low rate reads pieces of this size: smaller ones would cost more than they are worth. */
const LEAST_FILL_BYTES = 4096;

export interface PumpParts {
  readonly window: ByteWindow;
  readonly target: ShardTarget;
  readonly barrier: Barrier;
  readonly script: PumpScript;
  readonly gate: RateGate;
}

export interface PumpListener {
  /** Everything received has been applied. */
  exhausted(): void;
  failed(thrown: unknown): void;
}

export class ShardPump {
  /** Everything before this position was handed to the target or needs nothing. */
  handedOver = 0;
  paused = false;
  readonly #parts: PumpParts;
  readonly #listener: PumpListener;
  #running = false;
  #stopped = false;
  #turnPlanned = false;
  /** Records and commands handed over, for the rate. */
  #taken = 0;

  constructor(parts: PumpParts, listener: PumpListener) {
    this.#parts = parts;
    this.#listener = listener;
  }

  /** Everything before this position has taken effect on the target. */
  get settledPosition(): number {
    return Math.min(this.#parts.target.settledPosition, this.handedOver);
  }

  /** Everything before the window's start is done with. */
  taken(): void {
    this.handedOver = this.#parts.window.position;
    this.#taken++;
  }

  /** The stream goes on from this position, which was passed before. */
  rewind(position: number): void {
    this.#parts.script.rewind(position);
    this.handedOver = position;
  }

  /** No more bytes are moved, whatever comes. */
  stop(): void {
    this.#stopped = true;
  }

  /** Moves what can be moved now: call it whenever bytes came, replies came, or a pause ended. */
  run(): void {
    if (this.#running || this.#stopped || this.paused || this.#parts.barrier.running) return;
    this.#running = true;
    try {
      this.#turn();
    } catch (error) {
      this.#stopped = true;
      this.#listener.failed(error);
    } finally {
      this.#running = false;
    }
  }

  #turn(): void {
    const { target, barrier, script } = this.#parts;
    this.#move();
    target.flush(barrier.closed || script.settling || script.finished);
    if (!target.idle || this.#stopped) return;
    if (barrier.closed) {
      this.#passBarrier();
    } else if (script.settling) {
      script.settled();
      this.#planTurn();
    } else if (script.finished || (script.inStream && script.unread === 0 && !this.#turnPlanned)) {
      this.#listener.exhausted();
    }
  }

  #move(): void {
    const { window, barrier, script, gate } = this.#parts;
    const canStep = (): boolean => !barrier.closed && !script.settling && !script.finished;
    const allowed = gate.allowance();
    if (allowed === 0) {
      if (canStep()) this.#planTurn(gate.hold(script.unread > 0));
      return;
    }
    const from = this.#moved();
    const until = from + Math.min(TURN_BYTES, allowed);
    const before = script.moved?.operations ?? 0;
    window.mostPerFill = Math.max(LEAST_FILL_BYTES, allowed);
    this.#taken = 0;
    while (canStep() && script.step()) {
      if (this.#moved() < until) continue;
      this.#planTurn();
      break;
    }
    gate.spend(Math.max(0, this.#moved() - from), script.moved ? script.moved.operations - before : this.#taken);
  }

  /** Bytes that went on so far. */
  #moved(): number {
    const { script, window } = this.#parts;
    return script.moved?.bytes ?? window.position;
  }

  #planTurn(waitMs = 0): void {
    if (this.#turnPlanned) return;
    this.#turnPlanned = true;
    const turn = (): void => {
      this.#turnPlanned = false;
      this.run();
    };
    if (waitMs > 0) setTimeout(turn, waitMs);
    else setImmediate(turn);
  }

  #passBarrier(): void {
    this.#parts.barrier.run().then(
      () => this.run(),
      (error: unknown) => {
        this.#stopped = true;
        this.#listener.failed(error);
      },
    );
  }
}
