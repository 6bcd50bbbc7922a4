// What a scan leaves for the process that comes after it, should it be killed: that it was at work, and which keys the target
// held before it wrote anything. The next one scans anew, since nobody told what changed in between, knows what was written
// for its own, and takes off the target what the source has deleted since.
import { existsSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../checkpoint/durable-file.ts';
import { isGone, thisProcess } from '../checkpoint/process-identity.ts';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';
import { filesBeside } from '../engine/target/keys-before.ts';
import type { ServerSide } from '../preflight/context.ts';
import type { DatabaseNumbers } from '../transforms/database-map.ts';
import { type NoteHost, noteKeysBefore } from './note-before.ts';
import type { ResumeChoice } from './open-checkpoints.ts';

const leftSchema = z.object({
  v: z.literal(1),
  run: z.string(),
  savedAt: z.string(),
  targetWasEmpty: z.boolean(),
  databases: z.record(z.string(), z.int()),
  process: z.object({ host: z.string(), place: z.string(), pid: z.int(), started: z.string() }),
});
export type LeftScan = Readonly<z.infer<typeof leftSchema>>;

export interface ScanBegin {
  readonly run: string;
  /** Of the migration. */
  readonly folder: string;
  readonly choice: ResumeChoice;
  /** Those of the source that the run scans; null for all. */
  readonly shards: readonly number[] | null;
  readonly databases: DatabaseNumbers;
  readonly target: ServerSide;
  readonly targetIsEmpty: boolean;
}

/** How a scan begins. */
export interface ScanStart {
  readonly targetWasEmpty: boolean;
  /** The keys that the target held; null where there were none, or it is not known. */
  readonly beforeFile: string | null;
  /** An earlier process has written to the target. */
  readonly sweeps: boolean;
  /** The run has ended. @param completed nothing is left to go on with. */
  readonly end: (completed: boolean) => void;
}

/** Processes may scan a shard each. */
function nameOf(shards: readonly number[] | null): string {
  return `scan-${shards === null ? 'all' : shards.join('-')}`;
}

/** The scan that was left unfinished in this folder; null when there is none. @throws FerryError `state` */
export async function readLeftScan(folder: string, shards: readonly number[] | null): Promise<LeftScan | null> {
  const path = join(folder, `${nameOf(shards)}.json`);
  if (!existsSync(path)) return null;
  try {
    return leftSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new FerryError(`The state file ${path} can not be read (${messageOf(error)}): remove it to begin anew.`, {
      code: 'state',
      cause: error,
    });
  }
}

/** @throws FerryError when another process is at work with it, or there is something to decide. */
export async function beginScan(order: ScanBegin, host: NoteHost): Promise<ScanStart> {
  const { run, folder, shards, databases, targetIsEmpty } = order;
  const left = await readLeftScan(folder, shards);
  if (left !== null) await checkLeft(order, left);
  const name = nameOf(shards);
  const [path, before] = [join(folder, `${name}.json`), join(folder, `${name}.before`)];
  const forget = (): void => {
    for (const file of [path, ...filesBeside(before, name)]) rmSync(file, { force: true });
  };
  const goesOn = left !== null && order.choice === 'resume';
  const targetWasEmpty = goesOn ? left.targetWasEmpty : targetIsEmpty;
  if (!goesOn) {
    forget();
    if (!targetIsEmpty) await noteKeysBefore(order.target, [before], host);
  }
  const beforeFile = !targetWasEmpty && existsSync(before) ? before : null;
  if (goesOn) tellGoesOn(left, targetWasEmpty || beforeFile !== null, host);
  const saved: LeftScan = {
    ...{ v: 1, run, savedAt: new Date().toISOString() },
    ...{ targetWasEmpty, databases, process: await thisProcess() },
  };
  await writeDurably(path, JSON.stringify(saved));
  return { targetWasEmpty, beforeFile, sweeps: goesOn, end: (completed) => completed && forget() };
}

async function checkLeft({ choice, databases }: ScanBegin, left: LeftScan): Promise<void> {
  const own = await thisProcess();
  // Of another machine, or from before this one was started, nothing can be known: the person has said that it is over.
  if (left.process.place === own.place && !(await isGone(left.process, own)) && left.process.pid !== own.pid) {
    throw new FerryError(
      `Run ${left.run} of this migration is going on: redferry attach ${left.run} opens its screen, redferry ctl stop --run ${left.run} ends it.`,
      { code: 'lease', exitCode: EXIT.preflight },
    );
  }
  if (choice === 'ask') {
    throw new FerryError(
      `A scan of this migration was left unfinished (${left.run}, begun at ${left.savedAt}): --resume scans again, knows what that one wrote, and takes off the target what the source has deleted since; --fresh begins anew.`,
      { code: 'usage', exitCode: EXIT.usage },
    );
  }
  if (choice === 'resume' && JSON.stringify(left.databases) !== JSON.stringify(databases)) {
    throw new FerryError(
      `The unfinished run ${left.run} had databases.map ${JSON.stringify(left.databases)}, and it is ${JSON.stringify(databases)} now: go back to what it was, or begin anew with --fresh.`,
      { code: 'usage', exitCode: EXIT.usage },
    );
  }
}

function tellGoesOn(left: LeftScan, knowsOwn: boolean, { tell }: NoteHost): void {
  tell('info', `Run ${left.run} was left unfinished: its source is scanned again.`);
  if (!knowsOwn)
    tell(
      'warn',
      'Which keys the target held before that run is not known: what it has written is left to the conflict policy, and what the source has deleted since stays on the target.',
    );
}
