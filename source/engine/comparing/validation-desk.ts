// Comparisons that are asked for while a run goes on, or after it: one at a time, steered by commands; what the last one said
// of each shard stays beside the shard.
import { formatAddress } from '../../topology/endpoint.ts';
import type { WaitForApplied } from '../../validation/barrier.ts';
import type { KeyScope } from '../../validation/key-scope.ts';
import { keySlot } from '../../validation/key-slot.ts';
import { FULL, parseSize } from '../../validation/sample-size.ts';
import type { CompareSide } from '../../validation/side.ts';
import type { Validated } from '../../validation/validate-options.ts';
import type { CommandOutcome, KeyName, ValidationCommand, ValidationSize } from '../contract/command.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { ShardSnapshot, ShardState, ShardVerified } from '../contract/shard-snapshot.ts';
import type { ValidationPicture } from '../contract/validation-picture.ts';
import { FerryError, messageOf } from '../errors.ts';
import { repairDifferences } from '../recopy/difference-repair.ts';
import { waitForApplied } from './applied-offsets.ts';
import { Comparison } from './comparison.ts';
import { ShardVerdicts } from './shard-verdicts.ts';

/** How comparisons of a run are made. */
export interface ValidationSetup {
  /** Asks both sides where their nodes are. @throws FerryError when one is a file, or can not be asked. */
  readonly sides: () => Promise<{ readonly source: CompareSide; readonly target: CompareSide }>;
  readonly size: ValidationSize;
  /** The keys that the run copies. */
  readonly scope: KeyScope;
  readonly keysPerSecond: number | null;
  readonly toleranceMs: number | undefined;
  /** Writes a comparison to files; gives their names. @throws FerryError when they can not be written. */
  readonly write: (validated: Validated, number: number) => readonly string[];
  /** One more line about a repair, kept for good. @throws FerryError when it can not be written. */
  readonly journal: (line: object) => void;
}

/** What the desk needs to know of the run. */
export interface ValidatedRun {
  readonly shards: () => readonly ShardSnapshot[];
  /** The pipelines write to the target. */
  readonly isRunning: () => boolean;
  /** Copies keys again through the pipelines. */
  readonly recopy: (keys: readonly KeyName[]) => Promise<CommandOutcome>;
  readonly notice: (level: NoticeLevel, message: string) => void;
  readonly changed: () => void;
}

/** In these the target has all that the source had at some offset. */
const COMPARABLE: ReadonlySet<ShardState> = new Set(['catching-up', 'streaming', 'draining', 'retrying', 'done']);

/** One that is retried before it has streamed has only a part of its keys. */
function isComparable({ state, offset }: ShardSnapshot): boolean {
  return COMPARABLE.has(state) && (state !== 'retrying' || offset.applied !== null);
}

export class ValidationDesk {
  readonly #setup: ValidationSetup | null;
  readonly #run: ValidatedRun;
  readonly #verdicts = new ShardVerdicts();
  #comparison: Comparison | null = null;
  #preparing = false;
  #count = 0;

  /** @param setup null where nothing can be compared. */
  constructor(setup: ValidationSetup | null, run: ValidatedRun) {
    this.#setup = setup;
    this.#run = run;
  }

  /** Of the comparison under way, or the last one. */
  picture(): ValidationPicture | null {
    return this.#comparison?.picture() ?? null;
  }

  verifiedOf(shard: Pick<ShardSnapshot, 'id' | 'state'>, nowMs: number): ShardVerified | null {
    return this.#verdicts.of(shard, nowMs);
  }

  /** Never rejects. */
  async handle(command: ValidationCommand): Promise<CommandOutcome> {
    try {
      switch (command.type) {
        case 'validate':
          return await this.#validate(command.size);
        case 'steer-validation':
          return this.#steer(command.act);
        case 'set-validation-rate':
          return this.#setRate(command.keysPerSecond);
        case 'export-validation':
          return this.#export();
        case 'repair-differences':
          return await this.#repair(command);
      }
    } catch (error) {
      return refused(messageOf(error));
    }
  }

  /** Ends a comparison under way. */
  close(): void {
    this.#comparison?.cancel();
  }

  async #validate(wanted: ValidationSize | null): Promise<CommandOutcome> {
    const setup = this.#setup;
    if (setup === null) return refused('There is nothing to compare: this run has no two servers.');
    if (this.#preparing || this.#isUnderWay()) return refused('A comparison is under way; cancel it first.');
    const size = wanted ?? setup.size;
    parseSize(size);
    const shards = this.#run.shards();
    const ready = this.#run.isRunning() ? shards.filter(isComparable) : shards;
    if (ready.length === 0) return refused('No shard streams yet: what is still being copied can not be compared.');
    this.#preparing = true;
    try {
      const { source, target } = await setup.sides();
      const addresses = source.addresses.filter((place) =>
        ready.some(({ address }) => address === formatAddress(place)),
      );
      if (addresses.length === 0) throw new FerryError('The source has other nodes now.', { code: 'topology' });
      const barrier = this.#barrier(ready);
      const partial = addresses.length < source.addresses.length;
      this.#count += 1;
      this.#comparison = new Comparison({
        size,
        source: { ...source, addresses },
        target,
        scope: setup.scope,
        sourceOnly: partial,
        keysPerSecond: setup.keysPerSecond,
        toleranceMs: setup.toleranceMs,
        waitForApplied: barrier,
        notes: [...(partial ? [PARTIAL] : []), ...(this.#run.isRunning() && barrier === undefined ? [NO_OFFSET] : [])],
        changed: this.#run.changed,
      });
      void this.#follow(this.#comparison);
    } finally {
      this.#preparing = false;
    }
    const what = size === FULL ? 'every key' : `a sample (${size})`;
    const message = `Comparing ${what} of ${shards.length === ready.length ? 'all shards' : `${ready.length} of ${shards.length} shards`}.`;
    this.#run.notice('info', message);
    this.#run.changed();
    return { accepted: true, message };
  }

  async #follow(comparison: Comparison): Promise<void> {
    const validated = await comparison.ended;
    const { verdict } = comparison.picture();
    const level = validated === null || validated.result.outcome === 'different' ? 'warn' : 'info';
    this.#run.notice(level, `${validated === null ? 'Comparison' : 'Verdict'}: ${verdict ?? ''}`);
    if (validated !== null) this.#keepVerdicts(validated);
    this.#run.changed();
  }

  /** Under the shards whose sources were compared. */
  #keepVerdicts({ result }: Validated): void {
    for (const shard of this.#run.shards()) {
      const verdict = result.shards.find(({ side, address }) => side === 'source' && address === shard.address);
      if (verdict === undefined) continue;
      const { verifiedAtMs: atMs, looked: checked, different, bound } = verdict;
      this.#verdicts.put(shard.id, { atMs, checked, different, fraction: bound?.fraction ?? null });
    }
  }

  #steer(act: 'pause' | 'resume' | 'cancel'): CommandOutcome {
    const comparison = this.#comparison;
    if (comparison === null || !this.#isUnderWay()) return refused('No comparison is under way.');
    comparison[act]();
    const done = { pause: 'paused', resume: 'going on', cancel: 'being cancelled' }[act];
    return { accepted: true, message: `The comparison is ${done}.` };
  }

  #setRate(keysPerSecond: number | null): CommandOutcome {
    const comparison = this.#comparison;
    if (comparison === null || !this.#isUnderWay()) return refused('No comparison is under way.');
    if (keysPerSecond !== null && !(keysPerSecond >= 1)) return refused('A rate is at least one key a second.');
    comparison.setRate(keysPerSecond);
    const rate =
      keysPerSecond === null ? 'as fast as it goes' : `at most ${keysPerSecond.toLocaleString('en-US')} keys a second`;
    return { accepted: true, message: `The comparison reads ${rate}.` };
  }

  #export(): CommandOutcome {
    const validated = this.#comparison?.validated ?? null;
    if (validated === null || this.#setup === null) return refused('There is no finished comparison to export.');
    const files = this.#setup.write(validated, this.#count);
    const message = `Written: ${files.join(', ')}`;
    this.#run.notice('info', message);
    return { accepted: true, message };
  }

  async #repair({ kind, keys }: RepairCommand): Promise<CommandOutcome> {
    const setup = this.#setup;
    const comparison = this.#comparison;
    const chosen = comparison?.repairable(kind, keys) ?? [];
    if (setup === null || comparison === null || chosen.length === 0) {
      return refused('There is no confirmed difference of that kind that is not repaired.');
    }
    const isRunning = this.#run.isRunning();
    comparison.noteRepair(chosen, 'under-way');
    const { source, target: to, toleranceMs } = comparison.order;
    try {
      const { repaired, left } = await repairDifferences({
        ...{ kind, differences: chosen, source, target: to, toleranceMs },
        waitForApplied: this.#barrier(this.#run.shards()),
        recopy: isRunning ? this.#run.recopy : null,
        journal: setup.journal,
        tell: (difference, isRepaired) => {
          if (isRepaired && kind === 'differing') this.#lessDifferent(difference.key);
          comparison.noteRepair([difference], isRepaired ? 'repaired' : 'failed');
        },
      });
      const what = kind === 'extra' ? 'deleted from the target' : 'copied again and equal now';
      const rest = left > 0 ? `; ${left} are not` : '';
      const message = `${repaired} of ${chosen.length} ${what}${rest}.`;
      this.#run.notice(left > 0 ? 'warn' : 'info', message);
      return { accepted: true, message };
    } catch (error) {
      comparison.noteRepair(
        chosen.filter((difference) => comparison.repairOf(difference) === 'under-way'),
        'failed',
      );
      throw error;
    }
  }

  /** The shard that has the key counts one difference less. */
  #lessDifferent(key: Buffer): void {
    const slot = keySlot(key);
    const shards = this.#run.shards();
    const owner = shards.length === 1 ? shards[0] : shards.find(({ slots }) => slots !== null && holds(slots, slot));
    if (owner !== undefined) this.#verdicts.repaired(owner.id);
  }

  /** Where somebody knows how far the target has come: of a source that is scanned, and after the end, nobody does. */
  #barrier(shards: readonly ShardSnapshot[]): WaitForApplied | undefined {
    const isFollowed = this.#run.isRunning() && shards.every(({ offset }) => offset.applied !== null);
    return isFollowed ? (offsets) => waitForApplied(offsets, () => this.#run.shards()) : undefined;
  }

  #isUnderWay(): boolean {
    const state = this.#comparison?.picture().state;
    return state === 'running' || state === 'paused';
  }
}

type RepairCommand = Extract<ValidationCommand, { readonly type: 'repair-differences' }>;

/** `0-5460,9000` as a shard's picture has it. */
function holds(slots: string, slot: number): boolean {
  return slots.split(',').some((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return first <= slot && slot <= last;
  });
}

const NO_OFFSET =
  'The source has no offset to wait for: what differed was looked at until both sides had been quiet for a second.';

const PARTIAL = 'Not all shards of the source were compared, so keys that are only on the target were not looked for.';

function refused(message: string): CommandOutcome {
  return { accepted: false, message };
}
