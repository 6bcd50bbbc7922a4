// Before a run begins: is there one of the same migration to go on with? Looks at what was left here and on the target, takes
// the leases, and finds for each shard where it goes on.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import { differences, type Setup } from '../checkpoint/fingerprint.ts';
import { leaseHolder, leaseKey, readLeftState } from '../checkpoint/lease.ts';
import { setupOf } from '../checkpoint/setup-of.ts';
import type { ShardProgress, StoredShard } from '../checkpoint/shard-state.ts';
import { SlotBitmap } from '../checkpoint/slot-bitmap.ts';
import { openMigrationFolder, stateRoot } from '../checkpoint/state-directory.ts';
import { keptKeysFile, keysBeforeFile, readShardState } from '../checkpoint/state-store.ts';
import { TargetAsker } from '../checkpoint/target-asker.ts';
import type { ConflictPolicy } from '../engine/contract/conflict.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { RunCheckpoints } from '../engine/run/run-checkpoints.ts';
import type { PlannedOrigin, ShardStart } from '../engine/run/run-plan.ts';
import type { ShardResume } from '../engine/run/shard-job.ts';
import { busyError } from '../engine/run/shard-lease.ts';
import { newProgress } from '../engine/run/shard-progress.ts';
import { filesBeside, tellsOwnKeys } from '../engine/target/keys-before.ts';
import type { ServerSide } from '../preflight/context.ts';
import { formatAddress } from '../topology/endpoint.ts';
import { dropFormerRun } from './former-run.ts';
import { type NoteHost, noteKeysBefore, shareNote } from './note-before.ts';
import { nodesNow, resumeOf } from './shard-left.ts';
import { stableNumbers, withCarriedSlots } from './stable-shards.ts';

/** ask: refuse when there is something to go on with, and name both ways. */
export type ResumeChoice = 'ask' | 'resume' | 'fresh';

/** How often the state on the target is brought up to date. */
const RENEW_EVERY_MS = 2000;

export interface CheckpointOrder {
  readonly run: string;
  /** As the person named both sides, without credentials: what tells one migration from another. */
  readonly names: { readonly source: string; readonly target: string };
  readonly choice: ResumeChoice;
  /** settings.resume */
  readonly saveEveryMs: number;
  readonly leaseMs: number;
  readonly source: ServerSide;
  readonly target: ServerSide;
  /** All of the source, numbered by lowest slot. */
  readonly origins: readonly PlannedOrigin[];
  /** Those of them that this run copies. @throws FerryError when one of them is not there. */
  readonly choose: (origins: readonly PlannedOrigin[]) => readonly PlannedOrigin[];
  readonly conflictPolicy: ConflictPolicy;
  readonly filters: Readonly<Record<string, string>>;
  /** The source's databases that become others. */
  readonly databases: Readonly<Record<string, number>>;
  readonly targetIsEmpty: boolean;
}

export interface OpenCheckpoints {
  readonly checkpoints: RunCheckpoints;
  readonly starts: ReadonlyMap<number, ShardStart>;
  /** Those that this run copies, with the numbers and slots that they had. */
  readonly origins: readonly PlannedOrigin[];
}

/** Names the folder of the state and the leases; the same on every jump host with the same two addresses. */
export function migrationName({ source, target }: CheckpointOrder['names']): string {
  return createHash('sha256').update(`${source}\n${target}`).digest('hex').slice(0, 16);
}

/** The folder of a migration's state on this machine. @throws FerryError `state` */
export function migrationFolder(names: CheckpointOrder['names']): Promise<string> {
  return openMigrationFolder(stateRoot(process.env, homedir()), migrationName(names));
}

/** @throws FerryError for another setup than was left, a lease that somebody has, or something to decide. */
export async function openCheckpoints(order: CheckpointOrder, host: NoteHost): Promise<OpenCheckpoints> {
  const { names, target, choice } = order;
  const migration = migrationName(names);
  const folder = await migrationFolder(names);
  const asker = new TargetAsker(target.endpoint, target.topology);
  const checkpoints = new RunCheckpoints({
    migration,
    folder,
    engineVersion: packageJson.version,
    saveEveryMs: order.saveEveryMs,
    leaseMs: order.leaseMs,
    renewEveryMs: Math.min(RENEW_EVERY_MS, order.leaseMs / 3),
    marksSlots: target.topology.kind === 'cluster',
    target: (shard) => ({ home: asker.home(leaseKey(migration, shard)), nodes: asker.nodes }),
    close: () => asker.close(),
  });
  try {
    const places = { folder, asker, migration };
    const left = await leftStates(places, order.origins);
    const { setup, origins } = await numbered(order, migration, left);
    const chosen = order.choose(origins);
    const mine = new Map([...left].filter(([id]) => chosen.some((origin) => origin.id === id)));
    if (choice === 'ask') await checkNothingLeft(places, mine);
    if (choice === 'resume') checkSetup(mine, setup);
    const known = choice === 'fresh' ? NOTHING_LEFT : mine;
    const begun = await begin({ ...order, origins: chosen }, { setup, migration, folder, known, checkpoints }, host);
    // Not before: somebody might be at work with them.
    if (choice === 'fresh') await dropFormerRun(target, asker.nodes, [...mine.values()]);
    return { checkpoints, ...begun };
  } catch (error) {
    await checkpoints.close();
    throw error;
  }
}

type Left = ReadonlyMap<number, StoredShard>;

const NOTHING_LEFT: Left = new Map();

/** Where states are. */
interface Places {
  readonly folder: string;
  readonly asker: TargetAsker;
  readonly migration: string;
}

/** By number: what was left of today's shards, and of others that the migration had. */
async function leftStates(places: Places, origins: readonly PlannedOrigin[]): Promise<Left> {
  const left = new Map<number, StoredShard>();
  const read = async (ids: readonly number[]): Promise<void> => {
    const states = await Promise.all(ids.map((id) => leftState(places, `shard-${id}`)));
    for (const [i, state] of states.entries()) if (state !== null) left.set(ids[i] as number, state);
  };
  const ids = origins.map(({ id }) => id);
  await read(ids);
  const others = [...left.values()].flatMap(({ progress }) => progress.setup.shards.map(({ id }) => id));
  await read([...new Set(others)].filter((id) => !ids.includes(id)));
  return left;
}

/** The later of what stands here and on the target. */
async function leftState({ folder, asker, migration }: Places, shard: string): Promise<StoredShard | null> {
  const [here, there] = await Promise.all([
    readShardState(folder, shard),
    readLeftState(asker.home(leaseKey(migration, shard)), migration, shard),
  ]);
  if (here === null || there === null) return here ?? there;
  return here.savedAt >= there.savedAt ? here : there;
}

/** The setup of today, and its shards, by the numbers that the shards have had. */
async function numbered(
  { source, target, origins, filters, databases, conflictPolicy }: CheckpointOrder,
  migration: string,
  left: Left,
): Promise<{ readonly setup: Setup; readonly origins: readonly PlannedOrigin[] }> {
  const targetIsKnown = left.size > 0;
  const setup = await setupOf({ source, target, migration, targetIsKnown, filters, databases, conflictPolicy });
  const [any] = left.values();
  const numbers = stableNumbers(setup.shards, any?.progress.setup.shards ?? []);
  const number = <T extends { readonly id: number }>(shard: T): T => ({
    ...shard,
    id: numbers.get(shard.id) ?? shard.id,
  });
  return { setup: { ...setup, shards: setup.shards.map(number) }, origins: origins.map(number) };
}

/** @throws FerryError when there is something to go on with, or somebody is at work with it. */
async function checkNothingLeft({ asker, migration }: Places, left: Left): Promise<void> {
  for (const { shard } of left.values()) {
    const holder = await leaseHolder(asker.home(leaseKey(migration, shard)), migration, shard);
    if (holder !== null) throw busyError(shard, holder);
  }
  const [first] = left.values();
  if (first === undefined) return;
  throw new FerryError(
    `A run of this migration was left unfinished (${first.run}, last saved ${first.savedAt}): --resume goes on with it, --fresh begins anew.`,
    { code: 'usage', exitCode: EXIT.usage },
  );
}

function checkSetup(left: Left, now: Setup): void {
  const [first] = left.values();
  const found = first === undefined ? [] : differences(first.progress.setup, now);
  if (found.length === 0) return;
  throw new FerryError(
    `The unfinished run ${first?.run} can not be resumed with another setup. ${found.join(' ')} Go back to what it was, or begin anew with --fresh.`,
    { code: 'usage', exitCode: EXIT.usage },
  );
}

/** Without them the stream would mix two values in keys that were to be left alone. */
function checkKept({ run, shard, progress }: StoredShard, keptFile: string): void {
  if (progress.kept === 0 || existsSync(keptFile)) return;
  throw new FerryError(
    `${shard} of the unfinished run ${run} has kept ${progress.kept} keys of the target as they are, and which these are stands only on the machine where it ran: resume it there, or begin anew with --fresh.`,
    { code: 'usage', exitCode: EXIT.usage },
  );
}

interface Known {
  readonly setup: Setup;
  readonly migration: string;
  readonly folder: string;
  readonly known: Left;
  readonly checkpoints: RunCheckpoints;
}

/** Takes each shard's lease, behind which nobody else writes, and then looks where it stands. */
async function begin(
  order: CheckpointOrder,
  found: Known,
  host: NoteHost,
): Promise<Pick<OpenCheckpoints, 'starts' | 'origins'>> {
  const { run, origins, target, targetIsEmpty } = order;
  const { setup, migration, folder, known, checkpoints } = found;
  const [anyLeft] = known.values();
  // What other shards of an earlier process have written does not count.
  const targetWasEmpty = anyLeft?.progress.targetWasEmpty ?? targetIsEmpty;
  const targetSetup = { ...setup, target: { ...setup.target, ids: [...setup.target.ids, `migration:${migration}`] } };
  const starts = new Map<number, ShardStart>();
  const unnoted = new Set<number>();
  const carried = new Map<number, ShardProgress['slots']>();
  for (const { id, origin } of origins) {
    if (origin.kind === 'file') continue;
    const stored = known.get(id);
    const name = `shard-${id}`;
    const progress = stored?.progress ?? newProgress(targetSetup, formatAddress(origin.address), targetWasEmpty);
    const shardRun = stored?.run ?? run;
    const markedSlots = stored?.markedSlots ?? new SlotBitmap();
    const isNew = stored === undefined;
    const beforeFile = notedFile(found, id);
    if (!targetWasEmpty && beforeFile === null && isUnwritten(found, id)) unnoted.add(id);
    const before = unnoted.has(id) ? 'noting' : beforeFile === null ? 'unknown' : 'noted';
    await checkpoints.add({
      id,
      name,
      run: shardRun,
      progress: { ...progress, before, setup: targetSetup },
      markedSlots,
      isNew,
    });
    const keptFile = keptKeysFile(folder, name);
    if (stored !== undefined) checkKept(stored, keptFile);
    starts.set(id, { run: shardRun, attempt: 1, targetWasEmpty, beforeFile, resume: null, keptFile });
  }
  if (unnoted.size > 0) await noteBefore(target, unnoted, starts, found, host);
  if (known.size === 0) return { starts, origins };
  const nodes = await nodesNow(target);
  const standing = await Promise.all(
    origins.map(async ({ id, origin }) => {
      const stored = known.get(id);
      if (stored === undefined || origin.kind === 'file') return 'nothing is known of it';
      return resumeOf(target, origin, stored, nodes);
    }),
  );
  for (const [i, { id }] of origins.entries()) {
    // Nothing of it was written.
    if (unnoted.has(id)) continue;
    const resume = standing[i] as ShardResume | string;
    const start = starts.get(id) as ShardStart;
    const name = `shard-${id}`;
    if (typeof resume !== 'string') {
      host.tell('info', `${name} goes on behind byte ${resume.offset} of its source's stream.`);
      starts.set(id, { ...start, resume });
      carried.set(id, known.get(id)?.progress.slots ?? []);
      continue;
    }
    if (!tellsOwnKeys({ ...start, name })) checkUnknown(order, name, resume, host);
    host.tell('warn', `${name} begins a new full sync: ${resume}.`);
    await checkpoints.copyAnew(id);
    // A second attempt takes off the target what the first has written.
    starts.set(id, { ...start, attempt: 2 });
  }
  return { starts, origins: withCarriedSlots(origins, carried) };
}

/** The shard was left while it was noted what the target holds, before which nothing is written, or there is nothing left. */
function isUnwritten({ known }: Known, id: number): boolean {
  return known.size === 0 || known.get(id)?.progress.before === 'noting';
}

/** Which keys the target held before the run; null when that is not known, or not here. */
function notedFile({ folder, known }: Known, id: number): string | null {
  const file = keysBeforeFile(folder, `shard-${id}`);
  const stored = known.get(id);
  // A file that is there is whole, also when it was not said any more that it is.
  if (stored !== undefined) return stored.progress.before !== 'unknown' && existsSync(file) ? file : null;
  const others = [...known.values()].filter(({ progress }) => progress.before === 'noted');
  const other = others.map(({ shard }) => keysBeforeFile(folder, shard)).find((path) => existsSync(path));
  if (other === undefined) return null;
  // The target held the same for all shards.
  shareNote(other, file);
  return file;
}

/** Which keys the target held before the run is not known here: what an earlier process has written stays. */
function checkUnknown({ conflictPolicy }: CheckpointOrder, shard: string, why: string, { tell }: NoteHost): void {
  // Under `ignore` the shard's own keys would pass for those that are to be left alone.
  if (conflictPolicy !== 'rewrite') {
    throw new FerryError(
      `${shard} can not go on (${why}), and which keys the target held before the run is not known on this machine, so that a second full sync could not tell its own keys from those: resume it where it ran, empty the target, or begin anew with --fresh and --on-conflict rewrite.`,
      { code: 'usage', exitCode: EXIT.usage },
    );
  }
  tell(
    'warn',
    `Which keys the target held before the run is not known on this machine: keys that ${shard} had copied and the source has deleted since stay on the target. Compare with redferry validate.`,
  );
}

/** The target was not empty: nothing is written there before it is known what it held. */
async function noteBefore(
  target: ServerSide,
  shards: ReadonlySet<number>,
  starts: Map<number, ShardStart>,
  { folder, checkpoints }: Known,
  host: NoteHost,
): Promise<void> {
  const files = [...shards].map((id) => keysBeforeFile(folder, `shard-${id}`));
  // Of a run that nobody goes on with.
  for (const [i, id] of [...shards].entries()) {
    for (const path of filesBeside(files[i] as string, `shard-${id}`)) await rm(path, { force: true });
  }
  const noted = await noteKeysBefore(target, files, host);
  for (const [i, id] of [...shards].entries()) {
    await checkpoints.setBefore(id, noted ? 'noted' : 'unknown');
    starts.set(id, { ...(starts.get(id) as ShardStart), beforeFile: noted ? (files[i] as string) : null });
  }
}
