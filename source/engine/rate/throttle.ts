// Decides how fast each shard may go: the rate of the whole run (a person's, a window of the schedule, or the configured
// one), what the target bears at present, and the shard's own rate. The shards keep to it themselves (rate-gate.ts).
import type { Change, CommandOutcome, ShardSelection } from '../contract/command.ts';
import type { RatePicture } from '../contract/engine-snapshot.ts';
import { type Rate, UNLIMITED } from './rate-gate.ts';
import { type RateWindow, windowAt } from './rate-schedule.ts';
import { shareRate } from './rate-shares.ts';
import { rateInWords } from './rate-words.ts';
import { type TargetLimits, type TargetReading, TargetStrain } from './target-strain.ts';

export interface ThrottleSettings {
  readonly rate: Rate;
  readonly schedule: readonly RateWindow[];
  readonly target: TargetLimits;
}

export const NO_THROTTLE: ThrottleSettings = {
  rate: UNLIMITED,
  schedule: [],
  target: { latencyMs: null, memoryPercent: null, cpuPercent: null },
};

/** A shard as it is to be held to a rate. */
export interface ThrottledShard {
  readonly id: number;
  readonly name: string;
  readonly final: boolean;
  /** What it moved in the last second. */
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
  /** Its rate has held it back. */
  readonly slowed: boolean;
}

export interface ThrottleParts {
  readonly shards: () => readonly ThrottledShard[];
  readonly send: (shard: number, rate: Rate) => void;
  readonly now: () => Date;
}

/** What holds for a shard at present, and why. */
interface Held {
  readonly rate: Rate;
  readonly reason: string | null;
}

const FREE: Held = { rate: UNLIMITED, reason: null };

export class Throttle {
  readonly strain: TargetStrain;
  readonly #settings: ThrottleSettings;
  readonly #parts: ThrottleParts;
  /** What a person asked for, for the whole run; null is as configured. */
  #asked: Rate | null = null;
  readonly #own = new Map<number, Rate>();
  readonly #held = new Map<number, Held>();

  constructor(settings: ThrottleSettings, parts: ThrottleParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.strain = new TargetStrain(settings.target);
  }

  /** Call it several times a second: windows begin and end, shards need more or less. */
  tick(): void {
    const shards = this.#parts.shards().filter(({ final }) => !final);
    const { limit, reason } = this.#wholeRun();
    const bytes = partsOf(lower(limit.bytesPerSecond, this.strain.cap), shards, ({ bytesPerSecond }) => bytesPerSecond);
    const operations = partsOf(limit.operationsPerSecond, shards, (shard) => shard.operationsPerSecond);
    shards.forEach((shard, index) => {
      const part: Rate = { bytesPerSecond: bytes?.[index] ?? null, operationsPerSecond: operations?.[index] ?? null };
      this.#hold(shard.id, part, reason);
    });
  }

  /** Also tells a shard that begins on another thread. */
  #hold(shard: number, part: Rate, reason: string | null): void {
    const own = this.#own.get(shard) ?? UNLIMITED;
    const rate: Rate = {
      bytesPerSecond: lower(part.bytesPerSecond, own.bytesPerSecond),
      operationsPerSecond: lower(part.operationsPerSecond, own.operationsPerSecond),
    };
    const reasons = reason === null ? [] : [reason];
    if (isBinding(own, rate)) reasons.unshift(`the shard's limit of ${rateInWords(own)}`);
    const wasFree = isFree((this.#held.get(shard) ?? FREE).rate);
    this.#held.set(shard, { rate, reason: reasons.length === 0 ? null : reasons.join('; ') });
    if (!isFree(rate) || !wasFree) this.#parts.send(shard, rate);
  }

  /** Why the shard is slow at this moment, or null. */
  reasonOf(shard: ThrottledShard): string | null {
    return shard.slowed ? (this.#held.get(shard.id) ?? FREE).reason : null;
  }

  /** The rate that a person gave this shard alone. */
  ownRate(shard: number): Rate {
    return this.#own.get(shard) ?? UNLIMITED;
  }

  picture(): RatePicture {
    const { limit, origin } = this.#wholeRun();
    return { limit, origin, automatic: this.strain.reason };
  }

  /** @param rate null: the whole run as configured, a shard without a limit of its own. */
  setRate(selection: ShardSelection, rate: Rate | null): CommandOutcome {
    const outcome = selection === 'all' ? this.#setAll(rate) : this.#setSome(selection, rate ?? UNLIMITED);
    this.tick();
    return outcome;
  }

  #setAll(rate: Rate | null): CommandOutcome {
    const from = rateInWords(this.#wholeRun().limit);
    this.#asked = rate;
    const to = rateInWords(this.#wholeRun().limit);
    const what = rate === null ? `as configured: ${to}` : to;
    return changed(`The whole run: ${what}.`, { from, to });
  }

  #setSome(ids: readonly number[], rate: Rate): CommandOutcome {
    const chosen = this.#parts.shards().filter(({ id, final }) => !final && ids.includes(id));
    if (chosen.length === 0) return { accepted: false, message: 'There is no such shard at work.' };
    const from = [...new Set(chosen.map(({ id }) => rateInWords(this.ownRate(id))))].join(', ');
    for (const { id } of chosen) {
      if (isFree(rate)) this.#own.delete(id);
      else this.#own.set(id, rate);
    }
    const to = rateInWords(rate);
    return changed(`${chosen.map(({ name }) => name).join(', ')}: ${to}.`, { from, to });
  }

  /** @param readings of the target's nodes, once a second. */
  look(readings: readonly TargetReading[]): void {
    const used = this.#parts.shards().reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
    this.strain.look(readings, used);
  }

  #wholeRun(): { readonly limit: Rate; readonly origin: RatePicture['origin']; readonly reason: string | null } {
    const reasons: string[] = this.strain.reason === null ? [] : [this.strain.reason];
    const { limit, origin, words } = this.#limit();
    if (!isFree(limit)) reasons.push(`${words} of ${rateInWords(limit)}`);
    return { limit, origin, reason: reasons.length === 0 ? null : reasons.join('; ') };
  }

  #limit(): { readonly limit: Rate; readonly origin: RatePicture['origin']; readonly words: string } {
    if (this.#asked !== null) return { limit: this.#asked, origin: 'person', words: "the run's limit" };
    const window = windowAt(this.#settings.schedule, this.#parts.now());
    if (window === null) return { limit: this.#settings.rate, origin: 'configured', words: 'the configured limit' };
    const { from, to, bytesPerSecond, operationsPerSecond } = window;
    return {
      limit: { bytesPerSecond, operationsPerSecond },
      origin: 'schedule',
      words: `the schedule (${from} to ${to})`,
    };
  }
}

function changed(message: string, change: Change): CommandOutcome {
  return { accepted: true, message, change };
}

function isFree({ bytesPerSecond, operationsPerSecond }: Rate): boolean {
  return bytesPerSecond === null && operationsPerSecond === null;
}

function lower(one: number | null, other: number | null): number | null {
  return one === null ? other : other === null ? one : Math.min(one, other);
}

/** Whether a limit is the one that makes the rate what it is. */
function isBinding(own: Rate, rate: Rate): boolean {
  return (
    (own.bytesPerSecond !== null && own.bytesPerSecond === rate.bytesPerSecond) ||
    (own.operationsPerSecond !== null && own.operationsPerSecond === rate.operationsPerSecond)
  );
}

function partsOf(
  limit: number | null,
  shards: readonly ThrottledShard[],
  used: (shard: ThrottledShard) => number,
): readonly number[] | null {
  if (limit === null) return null;
  return shareRate(
    limit,
    shards.map((shard) => ({ used: used(shard), wants: shard.slowed })),
  );
}
