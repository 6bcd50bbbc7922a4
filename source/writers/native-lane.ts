// The way of values that no RESTORE carries, one after the other: big ones as the parser decodes them, and small ones
// whose RESTORE the target refused or would refuse.
import { WholeView } from '../rdb/byte-view.ts';
import { canDecode, decodeWhole } from '../rdb/decode.ts';
import type { Dialect } from '../rdb/format.ts';
import type { HashTemplates } from '../rdb/hash-templates.ts';
import { RdbError } from '../rdb/rdb-error.ts';
import type { ValueSink } from '../rdb/value-sink.ts';
import type { NativeAbilities } from './element-block.ts';
import { type NativeHost, type NativeKey, NativeWriter } from './native-writer.ts';

/** A value in memory that is to be written by commands. */
export interface NativeValue {
  readonly type: number;
  readonly value: Buffer;
}

interface Job {
  readonly key: NativeKey;
  readonly value: NativeValue;
  readonly counted: boolean;
}

export interface LaneHost extends Omit<NativeHost, 'done'> {
  /** Keys are done; one whose RESTORE was counted already is not counted again. */
  written(keys: number): void;
}

export class NativeLane {
  readonly #writer: NativeWriter;
  readonly #host: LaneHost;
  readonly #jobs: Job[] = [];
  #dialect: Dialect = 'redis';
  #templates: HashTemplates | undefined;
  #counts = true;

  constructor(abilities: NativeAbilities, host: LaneHost) {
    this.#host = host;
    this.#writer = new NativeWriter(abilities, {
      link: (key) => host.link(key),
      keyThere: (key, link) => host.keyThere(key, link),
      replaces: host.replaces,
      relieved: () => host.relieved(),
      refused: (key, reason) => host.refused(key, reason),
      lost: (key, what) => host.lost(key, what),
      failed: (error) => host.failed(error),
      loss: (loss) => host.loss(loss),
      done: (written) => {
        host.written(written && this.#counts ? 1 : 0);
        this.#next();
      },
    });
  }

  /** The snapshot whose values come. */
  begin(dialect: Dialect, templates: HashTemplates): void {
    this.#dialect = dialect;
    this.#templates = templates;
  }

  get idle(): boolean {
    return !this.#writer.active && this.#jobs.length === 0;
  }

  get waiting(): string | null {
    return this.#writer.waiting;
  }

  /** Whether commands can make values of this type. */
  takes(type: number): boolean {
    return canDecode(type, this.#dialect);
  }

  /** A value that the parser decodes into what this gives. The lane must be idle. */
  beginBig(key: NativeKey): ValueSink {
    this.#counts = true;
    this.#writer.prepare(key);
    return this.#writer;
  }

  /** @param counted its key was counted when its RESTORE was answered. */
  add(key: NativeKey, value: NativeValue, counted: boolean): void {
    this.#jobs.push({ key, value, counted });
    if (!this.#writer.active) this.#next();
  }

  destroy(): void {
    this.#jobs.length = 0;
    this.#writer.destroy();
  }

  #next(): void {
    const job = this.#jobs.shift();
    if (job === undefined) return;
    this.#counts = !job.counted;
    try {
      // Once through without a target: a broken value must not leave half of itself there.
      decodeWhole(job.value.type, this.#dialect, new WholeView(job.value.value), NO_SINK, this.#templates);
    } catch (error) {
      if (!(error instanceof RdbError)) throw error;
      this.#host.refused(job.key, error.message);
      this.#host.written(0);
      this.#next();
      return;
    }
    this.#writer.prepare(job.key);
    decodeWhole(job.value.type, this.#dialect, new WholeView(job.value.value), this.#writer, this.#templates);
  }
}

const NO_SINK: ValueSink = {
  saturated: false,
  begin: () => {},
  text: () => {},
  element: () => {},
  scored: () => {},
  field: () => {},
  streamEntry: () => {},
  streamFacts: () => {},
  group: () => {},
  consumer: () => {},
  pending: () => {},
  end: () => {},
};
