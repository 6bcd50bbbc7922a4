// The state of one shard on this machine's disk: saved now and then, at once where something rests on it, and read by the
// next process. A disk that is full or broken stops nothing but what needs it: it is told, and tried again.
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FerryError, messageOf } from '../engine/errors.ts';
import { filesBeside } from '../engine/target/keys-before.ts';
import { replacementOf } from '../writers/kept-keys.ts';
import { removeUnfinished, writeDurably } from './durable-file.ts';
import {
  formatShardState,
  parseShardState,
  type RecopiedSlots,
  type ShardProgress,
  type StoredShard,
} from './shard-state.ts';
import { SlotBitmap } from './slot-bitmap.ts';

/** Far above what the largest cluster needs. */
const MOST_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 1000;
/** More rounds of copying again than this are remembered as fewer: some slots are copied once more than needed then. */
const MOST_RECOPIED = 16;

export interface StateStoreOptions {
  /** The migration's folder. */
  readonly folder: string;
  readonly run: string;
  readonly shard: string;
  /** Of redferry. */
  readonly engineVersion: string;
  /** At most one save in this time, unless it is asked for. */
  readonly saveEveryMs: number;
  /** Slots that have a marker already; those of the stored state on resume. */
  readonly markedSlots: SlotBitmap;
  /** Of the stored state on resume. */
  readonly recopied: readonly RecopiedSlots[];
  /** Asked when a save begins; what it gives must have taken effect on the target. */
  readonly progress: () => ShardProgress;
  /** Whether this process is the one that works on the shard: only then is anything saved. Left out: it is. */
  readonly mayWrite?: () => boolean;
  /** A save failed, with what to say about it; null: saving works again. */
  readonly trouble: (error: FerryError | null) => void;
  /** Stands in for the disk in tests. */
  readonly write?: typeof writeDurably;
}

/**
 * The state that a shard has on disk; null when there is none.
 * @throws FerryError `state` for a file that is broken, of a newer version, or can not be read.
 */
export async function readShardState(folder: string, shard: string): Promise<StoredShard | null> {
  const path = stateFile(folder, shard);
  let text: string;
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size > MOST_BYTES) throw new Error(`it has ${size} bytes, more than any state`);
      text = await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null;
    throw new FerryError(`The state file ${path} can not be read: ${messageOf(thrown)}.`, {
      code: 'state',
      cause: thrown,
    });
  }
  const stored = parseShardState(text, `The state file ${path}`);
  if (stored.shard !== shard) {
    throw new FerryError(`The state file ${path} belongs to ${stored.shard}: somebody has renamed it.`, {
      code: 'state',
    });
  }
  return stored;
}

/** The shard is done: nothing is left to go on with. @throws when the file can not be removed. */
export async function removeShardState(folder: string, shard: string): Promise<void> {
  await rm(stateFile(folder, shard), { force: true });
  const kept = keptKeysFile(folder, shard);
  const lists = [kept, replacementOf(kept), ...filesBeside(keysBeforeFile(folder, shard), shard)];
  for (const path of lists) await rm(path, { force: true });
}

/** Beside the state: the keys that the target held before the run. */
export function keysBeforeFile(folder: string, shard: string): string {
  return join(folder, `${shard}.before`);
}

/** Beside the state: the keys that the conflict policy keeps from the stream. */
export function keptKeysFile(folder: string, shard: string): string {
  return join(folder, `${shard}.kept`);
}

export class ShardStateStore {
  readonly #options: StateStoreOptions;
  readonly #path: string;
  readonly #write: typeof writeDurably;
  /** Slots that are to be in the file, and those that are. */
  readonly #marked: SlotBitmap;
  #durable: SlotBitmap;
  #recopied: readonly RecopiedSlots[];
  #running: Promise<void> = Promise.resolve();
  /** A save that has not begun: all who ask before it begins share it. */
  #next: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #failing = false;
  readonly #closing = new AbortController();

  constructor(options: StateStoreOptions) {
    this.#options = options;
    this.#path = stateFile(options.folder, options.shard);
    this.#write = options.write ?? writeDurably;
    this.#marked = options.markedSlots.copy();
    this.#recopied = options.recopied;
    // Known from a file of an earlier process, but nothing says that this one has a file yet.
    this.#durable = new SlotBitmap();
  }

  /** Something has moved: it is saved within `saveEveryMs`. Costs next to nothing when called again. */
  changed(): void {
    if (this.#closing.signal.aborted) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.save().catch(() => this.changed());
    }, this.#options.saveEveryMs).unref();
  }

  /** Saves what `progress` says now or in a moment. @throws FerryError `state`, told to `trouble` as well. */
  save(): Promise<void> {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null;
        this.#running = this.#saveNow();
        return this.#running;
      });
    return this.#next;
  }

  /**
   * To be called before the first marker of a slot is sent: null when the slot is on disk already, else a promise to wait
   * for. It outlasts a disk that fails and is mended; it rejects only when the store is closed meanwhile.
   */
  markSlot(slot: number): Promise<void> | null {
    if (this.#durable.has(slot)) return null;
    this.#marked.add(slot);
    return this.#saveUntilDone();
  }

  /** These slots have their markers: one that is missing from now on was lost. Saved with the next save. */
  markSlots(slots: Iterable<number>): void {
    for (const slot of slots) this.#marked.add(slot);
  }

  /**
   * Slots are going to be copied again, as a plan says that begins at `startOffset`. Until their markers are at that
   * offset or behind it, every resume copies them again, whatever else it finds. Resolves when that is on disk, which must
   * be before anything else is saved or sent; rejects only when the store is closed meanwhile.
   */
  recopy(slots: readonly number[], startOffset: number): Promise<void> {
    const added = SlotBitmap.of(slots);
    this.#marked.addAll(added);
    this.#recopied = [...this.#recopied, { offset: startOffset, slots: added }];
    const [oldest, second, ...rest] = this.#recopied;
    if (oldest !== undefined && second !== undefined && this.#recopied.length > MOST_RECOPIED) {
      const both = oldest.slots.copy();
      both.addAll(second.slots);
      this.#recopied = [{ offset: Math.max(oldest.offset, second.offset), slots: both }, ...rest];
    }
    return this.#saveUntilDone();
  }

  /** The whole state as it is now: what the next save writes, and what the lease carries. */
  state(): StoredShard {
    const { run, shard, engineVersion } = this.#options;
    return {
      engine: engineVersion,
      run,
      shard,
      savedAt: new Date().toISOString(),
      progress: this.#options.progress(),
      markedSlots: this.#marked.copy(),
      recopied: this.#recopied,
    };
  }

  /**
   * A full sync begins: markers of before mean nothing any more. Resolves when that is on disk, which must be before the
   * first marker of the new history; rejects only when the store is closed meanwhile.
   */
  forgetSlots(): Promise<void> {
    this.#marked.clear();
    this.#durable.clear();
    this.#recopied = [];
    return this.#saveUntilDone();
  }

  /** Saves nothing more: the file is another process's. */
  abandon(): void {
    this.#closing.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Saves for the last time. @throws FerryError `state` */
  async close(): Promise<void> {
    this.abandon();
    await this.save();
    await removeUnfinished(this.#path).catch(() => {});
  }

  async #saveUntilDone(): Promise<void> {
    for (;;) {
      try {
        return await this.save();
      } catch (thrown) {
        if (this.#closing.signal.aborted) throw thrown;
        await delay(RETRY_MS, undefined, { signal: this.#closing.signal }).catch(() => {});
      }
    }
  }

  async #saveNow(): Promise<void> {
    const state = this.state();
    if (this.#options.mayWrite?.() === false) {
      // A process that was frozen may wake to find that another one has gone on: its file is not to be touched.
      throw new FerryError(`The state of ${state.shard} is not saved: its lease is not certain to be ours.`, {
        code: 'lease',
        retriable: true,
        shard: state.shard,
      });
    }
    try {
      await this.#write(this.#path, formatShardState(state));
    } catch (thrown) {
      const error = new FerryError(
        `The state of ${state.shard} can not be written to ${this.#path} (${messageOf(thrown)}): free space or mend the disk; until then a resume begins further back, and slots that are written for the first time wait.`,
        { code: 'state', retriable: true, shard: state.shard, cause: thrown },
      );
      this.#failing = true;
      this.#options.trouble(error);
      throw error;
    }
    // Slots may have been forgotten while this was written; then the save that follows says so.
    const durable = new SlotBitmap();
    for (const slot of state.markedSlots.slots()) if (this.#marked.has(slot)) durable.add(slot);
    this.#durable = durable;
    if (this.#failing) {
      this.#failing = false;
      this.#options.trouble(null);
    }
  }
}

function stateFile(folder: string, shard: string): string {
  return join(folder, `${shard}.json`);
}
