// Everything between the settings and the first byte: find the shards on both sides, check that the run can be right,
// plan it. Throws a FerryError with one sentence when it can not.
import { leaseKey } from '../checkpoint/lease.ts';
import type { Place } from '../config/place.ts';
import type { ConflictPolicy } from '../engine/contract/conflict.ts';
import type { NoticeLevel } from '../engine/contract/notice.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { type ExpiryCare, HeldExpiries } from '../engine/expiry/expiry-care.ts';
import { hasImportMode, ImportMode } from '../engine/expiry/import-mode.ts';
import { KeyspaceSettings } from '../engine/run/keyspace-settings.ts';
import { type PlannedOrigin, planRun, type RunLimits, type RunPlan, type SidePlan } from '../engine/run/run-plan.ts';
import type { KeylessRules, ScanOrder, ShardJob } from '../engine/run/shard-job.ts';
import type { PreflightOrder, ServerSide } from '../preflight/context.ts';
import { runPreflight } from '../preflight/preflight.ts';
import { openControl } from '../topology/control-connection.ts';
import { SLOT_COUNT } from '../topology/topology.ts';
import type { DatabaseNumbers } from '../transforms/database-map.ts';
import { type KeysNoted, type NoteHost, noteForThisProcess } from './note-before.ts';
import {
  type CheckpointOrder,
  migrationFolder,
  migrationName,
  type OpenCheckpoints,
  openCheckpoints,
} from './open-checkpoints.ts';
import { beginScan, type ScanStart } from './scan-left.ts';
import { type AskedSource, type AskedTarget, askSides } from './sides.ts';

export interface RunSetup {
  readonly run: string;
  readonly source: Place;
  readonly target: Place;
  readonly conflictPolicy: ConflictPolicy;
  /** A screen shows the run: a conflict under panic is asked for. */
  readonly asksOnConflict: boolean;
  /** null or left out: the source is followed by replication. */
  readonly scan?: ScanOrder | null;
  /** Of a scan: where changes of notify-keyspace-events are written down, and whether they are put back. */
  readonly keyspace?: { readonly folder: string; readonly restores: boolean };
  readonly keyless: KeylessRules;
  /** databases.map; left out for none. */
  readonly databases?: DatabaseNumbers;
  readonly exactlyOnce: boolean;
  readonly limits: RunLimits;
  readonly snapshotOnly: boolean;
  /** What is done with what an earlier process has left; null: nothing is kept for a later one. */
  readonly resume: Pick<CheckpointOrder, 'names' | 'choice' | 'saveEveryMs' | 'leaseMs'> | null;
  readonly shards: readonly number[] | null;
}

type Tell = (level: NoticeLevel, message: string) => void;

/**
 * @param tell what the person should know before the run begins.
 * @param stopped nobody wants the run any more.
 */
export async function prepareRun(setup: RunSetup, tell: Tell, stopped: () => boolean): Promise<RunPlan> {
  const { source, target } = await askSides(setup.source, setup.target);
  const scans = (setup.scan ?? null) !== null;
  if (scans) checkScannable(source, target);
  if (Object.keys(setup.databases ?? {}).length > 0 && target.kind === 'file')
    throw new FerryError('databases.map is for servers as the target: a file keeps the numbers of the source.', {
      code: 'config',
      exitCode: EXIT.usage,
    });
  const all = originsOf(source, setup);
  const chosen = chosenOf(all, setup.shards);
  await passPreflight(
    {
      source: source.kind === 'server' ? source : null,
      target: target.kind === 'server' ? target : null,
      conflictPolicy: setup.conflictPolicy,
      // What the scan writes can be written again.
      exactlyOnce: setup.exactlyOnce && !scans,
      reader: scans ? 'scan' : 'sync',
      databases: setup.databases ?? {},
      shards: setup.shards,
    },
    setup.resume?.choice === 'resume',
    tell,
  );
  const facts = target.kind === 'server' ? await askTarget(target) : NO_SERVER;
  const host = { tell, stopped };
  const kept = scans ? null : await checkpointsOf(setup, source, target, all, facts, host);
  const keyspace = keyspaceOf(setup, source, chosen);
  await keyspace?.takeLeftovers(tell);
  let before: KeysNoted | null = null;
  try {
    const scan = await scanStartOf(setup, target, facts, host);
    if (kept === null && scan === null && !facts.empty && source.kind === 'server' && target.kind === 'server')
      before = await noteForThisProcess(target, setup.limits.spoolDirectory, host);
    const origins = kept?.origins ?? withSweeps(chosen, scan?.sweeps ?? false);
    const { care, importMode } = await expiriesOf(setup, target, origins, tell);
    return planRun({
      ...setup,
      checkpoints: kept?.checkpoints ?? null,
      beforeFile: before?.file ?? scan?.beforeFile ?? null,
      cleanUp: (completed) => {
        before?.remove();
        scan?.end(completed);
      },
      startOf: (id) => kept?.starts.get(id) ?? null,
      source: planOf(source),
      target: planOf(target),
      origins,
      expiries: care,
      keyspace: await keyspaceSet(keyspace, tell),
      targetWasEmpty: scan?.targetWasEmpty ?? facts.empty,
      destinationOf: (id) =>
        destinationOf(target, { facts, importMode, exactlyOnce: setup.exactlyOnce }, id, origins.length > 1),
      limits: { ...setup.limits, valueInMemory: Math.min(setup.limits.valueInMemory, facts.largestValue) },
      // A snapshot is all that such a file holds.
      snapshotOnly: setup.snapshotOnly || (target.kind === 'file' && target.format !== 'aof'),
    });
  } catch (error) {
    before?.remove();
    await kept?.checkpoints.close();
    await keyspace?.release(tell);
    throw error;
  }
}

/** What the run may change of notify-keyspace-events; null where it is not about that. */
function keyspaceOf(
  { run, scan = null, keyspace, snapshotOnly }: RunSetup,
  source: AskedSource,
  origins: readonly PlannedOrigin[],
): KeyspaceSettings | null {
  if (scan === null || keyspace === undefined || source.kind === 'file') return null;
  const nodes = origins.flatMap(({ id, origin }) =>
    origin.kind === 'server' ? [{ shard: id, address: origin.address }] : [],
  );
  const sets = scan.changes === 'set' && !snapshotOnly;
  return new KeyspaceSettings({ run, endpoint: source.endpoint, nodes, sets, ...keyspace });
}

async function keyspaceSet(keyspace: KeyspaceSettings | null, tell: Tell): Promise<KeyspaceSettings | null> {
  const outcome = (await keyspace?.begin()) ?? null;
  if (outcome !== null) tell(outcome.accepted ? 'info' : 'warn', outcome.message);
  return keyspace;
}

/** null where nothing is kept for a later process. */
async function scanStartOf(
  { run, scan = null, resume, shards, databases = {} }: RunSetup,
  target: AskedTarget,
  facts: TargetFacts,
  host: NoteHost,
): Promise<ScanStart | null> {
  if (scan === null || resume === null || target.kind === 'file') return null;
  const folder = await migrationFolder(resume.names);
  const { choice } = resume;
  return beginScan({ run, folder, choice, shards, databases, target, targetIsEmpty: facts.empty }, host);
}

function withSweeps(origins: readonly PlannedOrigin[], sweeps: boolean): readonly PlannedOrigin[] {
  return origins.map(({ origin, ...others }) =>
    origin.kind === 'file' || origin.scan === null
      ? { ...others, origin }
      : { ...others, origin: { ...origin, scan: { ...origin.scan, sweeps } } },
  );
}

/** @throws FerryError for sides that the scan reader is not for. */
function checkScannable(source: AskedSource, target: AskedTarget): void {
  const side = source.kind === 'file' ? 'read files' : 'write files, which could hold a key twice';
  if (source.kind === 'server' && target.kind === 'server') return;
  throw new FerryError(`The scan reader does not ${side}: give servers, or --reader sync.`, {
    code: 'usage',
    exitCode: EXIT.usage,
  });
}

/** What is kept for a later process: where both sides are servers, and the stream is followed. */
async function checkpointsOf(
  setup: RunSetup,
  source: AskedSource,
  target: AskedTarget,
  origins: readonly PlannedOrigin[],
  facts: TargetFacts,
  host: NoteHost,
): Promise<OpenCheckpoints | null> {
  const { resume, exactlyOnce, snapshotOnly } = setup;
  if (resume === null || !exactlyOnce || snapshotOnly || source.kind === 'file' || target.kind === 'file') return null;
  return openCheckpoints(
    {
      run: setup.run,
      ...resume,
      source,
      target,
      origins,
      choose: (numbered) => chosenOf(numbered, setup.shards),
      conflictPolicy: setup.conflictPolicy,
      filters: { ...setup.keyless },
      databases: setup.databases ?? {},
      targetIsEmpty: facts.empty,
    },
    host,
  );
}

/** Of a run that is gone on with the target holds what that has copied. */
const UNTOLD_ON_RESUME = 'target-empty';
/** A run that is under way goes on while slots move, and so does one that is gone on with: what it is behind grows. */
const TOLD_ON_RESUME = 'open-slots';

async function passPreflight(order: PreflightOrder, resumes: boolean, tell: Tell): Promise<void> {
  const report = await runPreflight(order);
  for (const { id, verdict, evidence, remedy } of report.findings) {
    const sentence = `${evidence} ${remedy}`.trim();
    if (resumes && id === UNTOLD_ON_RESUME) continue;
    if (verdict === 'refuse' && !(resumes && id === TOLD_ON_RESUME))
      throw new FerryError(sentence, { code: 'preflight', exitCode: EXIT.preflight });
    if (verdict !== 'ok') tell('warn', verdict === 'warn' ? sentence : evidence);
  }
}

/** All shards of the source. */
function originsOf(source: AskedSource, { scan = null }: RunSetup): readonly PlannedOrigin[] {
  return source.kind === 'file'
    ? source.inputs.map(({ name, format, files, totalBytes }, id) => ({
        id,
        origin: { kind: 'file', name, format, files, totalBytes, untilMs: source.untilMs },
        slots: [],
      }))
    : source.topology.shards.map(({ id, address, nodeId, replicaIds, slots }) => ({
        id,
        origin: {
          kind: 'server',
          address,
          endpoint: source.endpoint,
          nodeId,
          replicaIds,
          slots,
          version: source.topology.version,
          shards: source.topology.shards.length,
          scan,
        },
        slots,
      }));
}

/** @throws FerryError when one of those that are wanted is not there. */
function chosenOf(all: readonly PlannedOrigin[], shards: readonly number[] | null): readonly PlannedOrigin[] {
  const unknown = shards?.find((id) => !all.some((origin) => origin.id === id));
  if (unknown !== undefined) {
    throw new FerryError(`There is no source shard ${unknown}: the source has ${all.length}, numbered from 0.`, {
      code: 'usage',
      exitCode: EXIT.usage,
    });
  }
  return all.filter(({ id }) => shards === null || shards.includes(id));
}

/** How the target is kept from removing keys: by its import-mode where it has one and lets us, else by held expiries. */
async function expiriesOf(
  { run, resume }: RunSetup,
  target: AskedTarget,
  origins: readonly PlannedOrigin[],
  tell: Tell,
): Promise<{ readonly care: ExpiryCare | null; readonly importMode: boolean }> {
  if (target.kind === 'file') return { care: null, importMode: false };
  // Of a cluster's shards only the keys of their slots: others may be copied to the same target by another process.
  const slots = origins.flatMap((origin) => origin.slots);
  const covered = slots.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const own = covered === SLOT_COUNT ? [] : slots;
  const { endpoint, topology } = target;
  const migration = resume === null ? null : migrationName(resume.names);
  const leases = migration === null ? [] : origins.map(({ id }) => leaseKey(migration, `shard-${id}`));
  if (hasImportMode(topology.version)) {
    const fields = new HeldExpiries(run, endpoint, own, { keys: false, leases });
    const mode = new ImportMode(run, endpoint, fields);
    if (await mode.enter(topology, tell)) return { care: mode, importMode: true };
  }
  return { care: new HeldExpiries(run, endpoint, own, { keys: true, leases }), importMode: false };
}

function planOf(side: AskedSource | AskedTarget): SidePlan {
  if (side.kind === 'server') {
    const { kind, version, shards } = side.topology;
    return { kind, version: version.text, masters: shards.length };
  }
  if (!('inputs' in side)) return { kind: 'file', version: side.format.toUpperCase(), masters: 1 };
  const rdb = side.inputs[0]?.rdb ?? null;
  const version = rdb === null ? null : `${rdb.dialect === 'valkey' ? 'Valkey ' : ''}RDB ${rdb.version}`;
  return { kind: 'file', version, masters: side.inputs.length };
}

/** How a server as the target is written to. */
interface TargetWays {
  readonly facts: TargetFacts;
  readonly importMode: boolean;
  readonly exactlyOnce: boolean;
}

/** Several shards write a file each: the shard's number goes before the file's ending. */
function destinationOf(
  target: AskedTarget,
  { facts, importMode, exactlyOnce }: TargetWays,
  id: number,
  several: boolean,
): ShardJob['destination'] {
  if (target.kind === 'server') {
    return {
      kind: 'server',
      endpoint: target.endpoint,
      topology: target.topology,
      commands: facts.commands,
      importMode,
      exactlyOnce,
    };
  }
  const { path } = target;
  return { ...target, path: several ? path.replace(/(\.[^./]*)?$/, `-${id}$1`) : path };
}

/** Type byte, version and checksum around a value in a RESTORE. */
const PAYLOAD_FRAME_BYTES = 11;

interface TargetFacts {
  /** The answer to COMMAND; null where the user may not ask. */
  readonly commands: unknown;
  /** Bytes of the largest value that one command can carry; a larger one would cost the whole connection. */
  readonly largestValue: number;
  /** No node holds a key. */
  readonly empty: boolean;
}

const NO_SERVER: TargetFacts = { commands: null, largestValue: Number.POSITIVE_INFINITY, empty: true };

async function askTarget({ endpoint, topology }: ServerSide): Promise<TargetFacts> {
  const first = topology.shards[0];
  if (first === undefined) return NO_SERVER;
  const connection = await openControl(endpoint, first.address, 'redferry:facts');
  try {
    const commands: unknown = await connection.call('COMMAND').catch(() => null);
    const bulk: unknown = await connection.config('GET', 'proto-max-bulk-len').catch(() => null);
    const bytes = Array.isArray(bulk) ? Number(bulk[1]) : Number.NaN;
    const largestValue = bytes > 0 ? bytes - PAYLOAD_FRAME_BYTES : Number.POSITIVE_INFINITY;
    return { commands, largestValue, empty: await isEmpty({ endpoint, topology }) };
  } finally {
    connection.disconnect();
  }
}

/** false also where a node does not tell. */
async function isEmpty({ endpoint, topology }: ServerSide): Promise<boolean> {
  for (const { address } of topology.shards) {
    const connection = await openControl(endpoint, address, 'redferry:facts');
    try {
      if (/^db\d+:keys=[1-9]/m.test(await connection.info('keyspace'))) return false;
    } catch {
      return false;
    } finally {
      connection.disconnect();
    }
  }
  return true;
}
