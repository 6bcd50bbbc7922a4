// What a target held before the run, where it was not empty, and what has become of that since: keys that the run has written,
// and keys that it has found to be as the source's. So a second full sync can tell ghosts of the first one, which go, from
// what is somebody else's, which stays. Hashes of the keys in files, in constant memory.
import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KeptKeys, replacementOf } from '../../writers/kept-keys.ts';
import { messageOf } from '../errors.ts';
import type { ShardJob } from '../run/shard-job.ts';

type NotedJob = Pick<ShardJob, 'name' | 'targetWasEmpty' | 'beforeFile'>;

/** All that may stand beside the file of what was there before, of one shard. */
export function filesBeside(beforeFile: string, shard: string): readonly string[] {
  const own = [beforeFile, writtenFile(beforeFile, shard), sharedFile(beforeFile, shard)];
  return [...own, unfinishedKeysFile(beforeFile)].flatMap((path) => [path, replacementOf(path)]);
}

function writtenFile(beforeFile: string, shard: string): string {
  return join(dirname(beforeFile), `${shard}.written`);
}

function sharedFile(beforeFile: string, shard: string): string {
  return join(dirname(beforeFile), `${shard}.shared`);
}

/** Under this name it is while it is being written. */
export function unfinishedKeysFile(beforeFile: string): string {
  return `${beforeFile}.unfinished`;
}

/** Whether a second full sync of the shard can tell its own keys from those that were there before. */
export function tellsOwnKeys({ targetWasEmpty, beforeFile }: NotedJob): boolean {
  return targetWasEmpty || (beforeFile !== null && existsSync(beforeFile));
}

/** Which keys of a target are not the run's to remove. */
export interface SparedKeys {
  has(database: number, key: Buffer): boolean;
  close(): void;
}

/** Only where tellsOwnKeys. @throws FerryError `spool` */
export function openSparedKeys({ name, targetWasEmpty, beforeFile }: NotedJob): SparedKeys {
  if (targetWasEmpty || beforeFile === null) return { has: () => false, close: () => {} };
  const before = openKeys(beforeFile);
  const written = openKeys(writtenFile(beforeFile, name));
  return {
    has: (database, key) => before.has(database, key, 0, key.length) && !written.has(database, key, 0, key.length),
    close: () => {
      before.close();
      written.close();
    },
  };
}

function openKeys(file: string): KeptKeys {
  const keys = new KeptKeys(dirname(file), 'before', file);
  keys.restore();
  return keys;
}

export class KeysBefore {
  readonly #job: ShardJob;
  readonly #file: string;
  readonly #warn: (message: string) => void;
  #before: KeptKeys | null = null;
  /** The target has what this run wrote, whatever it was before. */
  readonly #written: KeptKeys;
  /** The target has what the source has, and had it before. */
  readonly #shared: KeptKeys;
  /** Those of `shared` that the snapshot of this attempt has brought. */
  readonly #seen: KeptKeys;
  #broken = false;

  /** @param warn said once: what is this run's can not be noted any more. */
  constructor(job: ShardJob, beforeFile: string, warn: (message: string) => void) {
    this.#job = job;
    this.#file = beforeFile;
    this.#warn = warn;
    const { spoolDirectory } = job.limits;
    this.#written = new KeptKeys(spoolDirectory, 'written', writtenFile(beforeFile, job.name));
    this.#shared = new KeptKeys(spoolDirectory, 'shared', sharedFile(beforeFile, job.name));
    this.#seen = new KeptKeys(spoolDirectory, `redferry-seen-${job.name}`);
  }

  /** null where the target was empty, or what it held is not known. */
  static of(job: ShardJob, warn: (message: string) => void): KeysBefore | null {
    const { beforeFile, targetWasEmpty } = job;
    return targetWasEmpty || beforeFile === null ? null : new KeysBefore(job, beforeFile, warn);
  }

  /** @throws FerryError `spool` */
  open(): void {
    const { attempt, resume } = this.#job;
    const isFirst = attempt === 1 && resume === null;
    for (const keys of [this.#written, this.#shared]) {
      if (isFirst) keys.forget();
      else keys.restore();
    }
  }

  /** The key was there before the run, and is as the source has it by now. @throws FerryError `spool` */
  isOwn(database: number, key: Buffer): boolean {
    return has(this.#written, database, key) || has(this.#shared, database, key);
  }

  /** The source had the key once, no snapshot of this attempt has brought it, and this run has not written it. */
  isMissed(database: number, key: Buffer): boolean {
    return has(this.#shared, database, key) && !has(this.#written, database, key) && !has(this.#seen, database, key);
  }

  /** The snapshot has the key, and the target has the same under its name. */
  foundEqual(database: number, key: Buffer): void {
    this.#note(() => {
      this.#shared.add(database, key);
      if (this.#job.attempt > 1) this.#seen.add(database, key);
    });
  }

  /** The snapshot's value takes the place of what was there. */
  rewritten(database: number, key: Buffer): void {
    this.#note(() => this.#written.add(database, key));
  }

  /**
   * A command of the stream has this key.
   * @param isCertain it writes the key; else it may only read it.
   */
  streamed(database: number, bytes: Buffer, start: number, length: number, isCertain: boolean): void {
    this.#note(() => {
      const keys = isCertain ? this.#written : this.#shared;
      // A look into one file instead of three for what is written again.
      if (keys.has(database, bytes, start, length)) return;
      this.#before ??= openKeys(this.#file);
      if (!this.#before.has(database, bytes, start, length)) return;
      keys.add(database, bytes.subarray(start, start + length));
    });
  }

  /** Keys of the target change their database: which of them were there before can not be told any more. */
  databasesSwapped(): void {
    if (this.#broken) return;
    this.#broken = true;
    rmSync(this.#file, { force: true });
    this.#warn(
      'SWAPDB moves keys that the target held before this run: a second full sync could not tell them from its own from now on.',
    );
  }

  close(): void {
    this.#before?.close();
    for (const keys of [this.#written, this.#shared, this.#seen]) keys.close();
  }

  /** What is not noted is taken for somebody else's later, and left to the conflict policy. */
  #note(work: () => void): void {
    if (this.#broken) return;
    try {
      work();
    } catch (error) {
      this.#broken = true;
      this.#warn(
        `Which of the target's keys are this run's is not noted any more (${messageOf(error)}): a second full sync would meet them as conflicts.`,
      );
    }
  }
}

function has(keys: KeptKeys, database: number, key: Buffer): boolean {
  return keys.has(database, key, 0, key.length);
}
