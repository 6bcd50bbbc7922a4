// The automatic throttle: when a node of the target is slower, fuller or busier than was configured, the run is slowed down
// at once, and speeds up again in small steps when all nodes are well below their limits. Pure but for its own state.
import { formatSize } from './rate-words.ts';

/** Above these the run is slowed down; null is no limit. */
export interface TargetLimits {
  /** How long a node takes to answer a PING. */
  readonly latencyMs: number | null;
  /** Of maxmemory, or of the machine's memory where there is none. */
  readonly memoryPercent: number | null;
  /** Of one core, all threads of the server together. */
  readonly cpuPercent: number | null;
}

/** What one node said of itself; null where it did not. */
export interface TargetReading {
  readonly node: string;
  readonly latencyMs: number | null;
  readonly memoryPercent: number | null;
  readonly cpuPercent: number | null;
}

type Figure = keyof TargetLimits;

const WORDS: Readonly<Record<Figure, readonly [name: string, unit: string]>> = {
  latencyMs: ['latency', ' ms'],
  memoryPercent: ['memory', ' %'],
  cpuPercent: ['CPU', ' %'],
};

/** At each look: down by much, up by little, and only below this share of the limit. */
const DOWN = 0.7;
const UP = 1.25;
const WELL_BELOW = 0.9;
/** The target still gets this much: what never moves is never known to be better. */
const FLOOR_BYTES = 64 * 1024;
/** Memory does not come back by waiting: the target gets next to nothing. */
const MEMORY_FLOOR_BYTES = 1024;
/** A cap this many times above what is used holds nothing back any more. */
const IDLE_FACTOR = 4;
const LEAST_RELEASE_BYTES = 1024 * 1024;

export class TargetStrain {
  readonly #limits: TargetLimits;
  #cap: number | null = null;
  #reason: string | null = null;

  constructor(limits: TargetLimits) {
    this.#limits = limits;
  }

  /** Whether there is anything to look at. */
  get isConfigured(): boolean {
    return Object.values(this.#limits).some((limit) => limit !== null);
  }

  /** Bytes a second for the whole run; null while nothing is above its limit, nor was lately. */
  get cap(): number | null {
    return this.#cap;
  }

  /** Every figure that is, or was last, above its limit; null without a cap. */
  get reason(): string | null {
    return this.#cap === null ? null : `${this.#reason}: at most ${formatSize(this.#cap)}/s`;
  }

  /** @param usedBytesPerSecond what the run moved in the second that the readings are about. */
  look(readings: readonly TargetReading[], usedBytesPerSecond: number): void {
    const above = this.#figures(readings, 1);
    if (above.length > 0) {
      this.#reason = above.map(({ words }) => words).join('; ');
      const used = Math.min(this.#cap ?? usedBytesPerSecond, Math.max(usedBytesPerSecond, FLOOR_BYTES));
      const isFull = above.some(({ figure }) => figure === 'memoryPercent');
      this.#cap = isFull ? MEMORY_FLOOR_BYTES : Math.max(FLOOR_BYTES, used * DOWN);
      return;
    }
    if (this.#cap === null || readings.length === 0 || this.#figures(readings, WELL_BELOW).length > 0) return;
    this.#cap = Math.max(FLOOR_BYTES, this.#cap * UP);
    if (this.#cap > Math.max(LEAST_RELEASE_BYTES, usedBytesPerSecond * IDLE_FACTOR)) this.#cap = null;
  }

  #figures(readings: readonly TargetReading[], share: number): readonly { figure: Figure; words: string }[] {
    return readings.flatMap((reading) =>
      (Object.keys(WORDS) as Figure[]).flatMap((figure) => {
        const limit = this.#limits[figure];
        const value = reading[figure];
        if (limit === null || value === null || value <= limit * share) return [];
        const [name, unit] = WORDS[figure];
        return [{ figure, words: `${name} of target ${reading.node} ${rounded(value)}${unit}, limit ${limit}${unit}` }];
      }),
    );
  }
}

function rounded(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
