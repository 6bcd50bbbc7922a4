// What a run keeps for the process that may have to go on with it, shard by shard (resumable-shard.ts), and what of it stays
// when the run ends. Lives on the main thread; the workers tell how far they are.
import type { ShardProgress } from '../../checkpoint/shard-state.ts';
import type { FerryError } from '../errors.ts';
import { type CheckpointedShard, type ResumableOptions, ResumableShard } from './resumable-shard.ts';
import type { ShardEnd, ShardSample } from './shard-job.ts';

export interface CheckpointOptions extends ResumableOptions {
  readonly close: () => void;
}

export interface CheckpointHost {
  /** This process must not write for the shard any more. */
  lost(shard: number, error: FerryError): void;
  notice(level: 'info' | 'warn' | 'error', shard: string, message: string): void;
}

export class RunCheckpoints {
  readonly #options: CheckpointOptions;
  readonly #shards = new Map<number, ResumableShard>();
  /** null: the run has not begun. */
  #host: CheckpointHost | null = null;
  #closed = false;

  constructor(options: CheckpointOptions) {
    this.#options = options;
  }

  /**
   * Takes the lease of a shard, and says on disk and on the target where it stands.
   * @throws FerryError `lease`, naming who has it.
   */
  async add(shard: CheckpointedShard): Promise<void> {
    const kept = new ResumableShard(shard, this.#options, {
      lost: (error) => this.#host?.lost(shard.id, error),
      notice: (level, message) => this.#host?.notice(level, shard.name, message),
    });
    await kept.acquire();
    this.#shards.set(shard.id, kept);
    await kept.save();
  }

  /**
   * Whether it is known what the target held before the run; nothing may be written there before this has resolved.
   * @throws FerryError `state`
   */
  async setBefore(id: number, before: ShardProgress['before']): Promise<void> {
    await this.#shards.get(id)?.setBefore(before);
  }

  /** The run begins. */
  begin(host: CheckpointHost): void {
    this.#host = host;
  }

  /** How far a shard is. */
  take(id: number, sample: ShardSample): void {
    this.#shards.get(id)?.take(sample);
  }

  /** Whether this process certainly still has the shard's lease; true of a shard that has none. */
  async held(id: number): Promise<boolean> {
    return (await this.#shards.get(id)?.held()) ?? true;
  }

  /** How the shard has ended, which is a failure when another process has taken it. */
  endOf(id: number, end: ShardEnd): ShardEnd {
    return this.#shards.get(id)?.endOf(end) ?? end;
  }

  /**
   * A shard that was left is copied anew. Resolves when that is on disk and on the target, which must be before anything of
   * it is taken off: a stream must never go on upon half of its keys. @throws FerryError `state`
   */
  async copyAnew(id: number): Promise<void> {
    await this.#shards.get(id)?.copyAnew();
  }

  /** A shard that had ended begins once more. */
  revived(id: number): void {
    this.#shards.get(id)?.revived();
  }

  /** @param done everything of the shard is on the target. */
  async ended(id: number, done: boolean): Promise<void> {
    await this.#shards.get(id)?.ended(done);
  }

  /**
   * Lets go of what was not ended.
   * @param undecided the run ended with a conflict: who begins it again does so with another policy.
   */
  async close(undecided = false): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const all = [...this.#shards.values()];
    await Promise.all(all.map((kept) => kept.ended(false)));
    const hasBegun = this.#host !== null;
    const done = all.every((kept) => kept.done) || !all.some((kept) => kept.isWorthKeeping(undecided, hasBegun));
    await Promise.all(all.map((kept) => kept.letGo(done)));
    this.#options.close();
  }
}
