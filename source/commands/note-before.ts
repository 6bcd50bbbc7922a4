// Before a run writes to a target that is not empty: notes which keys are there (engine/target/keys-before.ts), for a second full
// sync that may become needed. A target that does not let itself be read is told of, and the run goes on without.
import { copyFileSync, linkSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NoticeLevel } from '../engine/contract/notice.ts';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';
import { steadyMs } from '../engine/steady-clock.ts';
import { unfinishedKeysFile } from '../engine/target/keys-before.ts';
import { isRedferrys, walkTarget } from '../engine/target/target-walk.ts';
import type { ServerSide } from '../preflight/context.ts';
import { KeptKeys, replacementOf } from '../writers/kept-keys.ts';

const TELL_EVERY_MS = 5000;
const OWNER_ONLY = 0o600;

export interface NoteHost {
  tell(level: NoticeLevel, message: string): void;
  /** Nobody wants the run any more. */
  stopped(): boolean;
}

/**
 * @param files get the same content, and are there as a whole or not at all; all in one folder.
 * @returns whether they are there. @throws FerryError `stopped`
 */
export async function noteKeysBefore(target: ServerSide, files: readonly string[], host: NoteHost): Promise<boolean> {
  const [first, ...others] = files;
  if (first === undefined) return false;
  const unfinished = unfinishedKeysFile(first);
  try {
    const count = await noteInto(unfinished, target, host);
    renameSync(unfinished, first);
    for (const file of others) shareNote(first, file);
    host.tell('info', `The target holds ${count} keys before this run; which they are was noted.`);
    return true;
  } catch (error) {
    for (const path of [unfinished, replacementOf(unfinished)]) rmSync(path, { force: true });
    if (error instanceof FerryError && error.code === 'stopped') throw error;
    for (const file of files) rmSync(file, { force: true });
    tellUnknown(host, error);
    return false;
  }
}

function tellUnknown({ tell }: NoteHost, error: unknown): void {
  tell(
    'warn',
    `Which keys the target holds before this run could not be noted (${messageOf(error)}): a shard that would have to begin a second full sync ends instead.`,
  );
}

export interface KeysNoted {
  readonly file: string;
  readonly remove: () => void;
}

/** The file in a folder of its own, for a run that nobody goes on with; null when it could not be noted. */
export async function noteForThisProcess(
  target: ServerSide,
  spoolDirectory: string,
  host: NoteHost,
): Promise<KeysNoted | null> {
  let folder: string;
  try {
    folder = mkdtempSync(join(spoolDirectory, 'redferry-before-'));
  } catch (error) {
    tellUnknown(host, error);
    return null;
  }
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  const file = join(folder, 'keys');
  try {
    if (await noteKeysBefore(target, [file], host)) return { file, remove };
  } catch (error) {
    remove();
    throw error;
  }
  remove();
  return null;
}

/** @returns how many keys there are. */
async function noteInto(path: string, target: ServerSide, { tell, stopped }: NoteHost): Promise<number> {
  const keys = new KeptKeys(dirname(path), 'before', path);
  keys.forget();
  // Also of a target that holds nothing but redferry's own keys.
  writeFileSync(path, '', { mode: OWNER_ONLY });
  let tellAtMs = steadyMs() + TELL_EVERY_MS;
  try {
    await walkTarget(
      { ...target, importMode: false },
      {
        name: 'redferry:before',
        stopped,
        found: (_node, database, found) => {
          for (const key of found) if (!isRedferrys(key)) keys.add(database, key);
          if (steadyMs() < tellAtMs) return;
          tellAtMs = steadyMs() + TELL_EVERY_MS;
          tell('info', `Noting which keys the target holds before the run writes anything: ${keys.size} so far.`);
        },
      },
    );
    if (stopped())
      throw new FerryError('Stopped before the run began.', { code: 'stopped', exitCode: EXIT.interrupted });
    keys.sync();
    return keys.size;
  } finally {
    keys.close();
  }
}

/** The same file under another name, in the same folder; a copy where the file system has no such names. */
export function shareNote(file: string, name: string): void {
  rmSync(name, { force: true });
  try {
    linkSync(file, name);
  } catch {
    copyFileSync(file, name);
  }
}
