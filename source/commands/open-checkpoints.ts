// Before a run begins: is there one of the same migration to go on with? Looks at what was left here and on the target, takes
// the leases, and finds for each shard where it goes on.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import packageJson from '../../package.json' with { type: 'json' };
import { differences, type Setup } from '../checkpoint/fingerprint.ts';
import { leaseKey, readLeftState } from '../checkpoint/lease.ts';
import { connectionMarkerName, type SourceHistory, slotMarkerName } from '../checkpoint/marker.ts';
import { STANDALONE_MARKER_SLOT } from '../checkpoint/read-markers.ts';
import { setupOf } from '../checkpoint/setup-of.ts';
import type { StoredShard } from '../checkpoint/shard-state.ts';
import { SlotBitmap } from '../checkpoint/slot-bitmap.ts';
import { openMigrationFolder, stateRoot } from '../checkpoint/state-directory.ts';
import { keptKeysFile, readShardState } from '../checkpoint/state-store.ts';
import { TargetAsker } from '../checkpoint/target-asker.ts';
import type { ConflictPolicy, NoticeLevel } from '../engine/contract.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { newProgress, RunCheckpoints, sameSlots } from '../engine/run-checkpoints.ts';
import type { PlannedOrigin } from '../engine/run-plan.ts';
import type { ServerOrigin, ShardJob, ShardResume } from '../engine/shard-job.ts';
import { type NodeNow, planReplay } from '../engine/target-reconnect.ts';
import type { ServerSide } from '../preflight/context.ts';
import { openControl } from '../topology/control-connection.ts';
import { formatAddress } from '../topology/endpoint.ts';
import { SLOT_COUNT, type SlotRange } from '../topology/topology.ts';

/** ask: refuse when there is something to go on with, and name both ways. */
export type ResumeChoice = 'ask' | 'resume' | 'fresh';

/** A lease that is not renewed for this long is free: longer than a failover of the target takes. */
const LEASE_MS = 60_000;
const SAVE_EVERY_MS = 1000;
const RENEW_EVERY_MS = 2000;

export interface CheckpointOrder {
  readonly run: string;
  /** As the person named both sides, without credentials: what tells one migration from another. */
  readonly names: { readonly source: string; readonly target: string };
  readonly choice: ResumeChoice;
  readonly source: ServerSide;
  readonly target: ServerSide;
  readonly origins: readonly PlannedOrigin[];
  readonly conflictPolicy: ConflictPolicy;
  readonly filters: Readonly<Record<string, string>>;
  readonly targetIsEmpty: boolean;
}

/** How a shard begins. */
export type ShardStart = Pick<ShardJob, 'run' | 'attempt' | 'targetWasEmpty' | 'resume' | 'keptFile'>;

export interface OpenCheckpoints {
  readonly checkpoints: RunCheckpoints;
  readonly starts: ReadonlyMap<number, ShardStart>;
}

type Tell = (level: NoticeLevel, message: string) => void;

/** Names the folder of the state and the leases; the same on every jump host with the same two addresses. */
export function migrationName({ source, target }: CheckpointOrder['names']): string {
  return createHash('sha256').update(`${source}\n${target}`).digest('hex').slice(0, 16);
}

/** The folder of a migration's state on this machine. @throws FerryError `state` */
export function migrationFolder(names: CheckpointOrder['names']): Promise<string> {
  return openMigrationFolder(stateRoot(process.env, homedir()), migrationName(names));
}

/** @throws FerryError for another setup than was left, a lease that somebody has, or something to decide. */
export async function openCheckpoints(order: CheckpointOrder, tell: Tell): Promise<OpenCheckpoints> {
  const { names, source, target, origins } = order;
  const migration = migrationName(names);
  const folder = await migrationFolder(names);
  const asker = new TargetAsker(target.endpoint, target.topology);
  const left = new Map<number, StoredShard>();
  for (const { id } of origins) {
    const state = await leftState(folder, asker, migration, `shard-${id}`);
    if (state !== null) left.set(id, state);
  }
  const setup = await setupOf({
    source,
    target,
    migration,
    targetIsKnown: left.size > 0,
    filters: order.filters,
    databases: {},
    conflictPolicy: order.conflictPolicy,
  });
  const checkpoints = new RunCheckpoints({
    migration,
    folder,
    engineVersion: packageJson.version,
    saveEveryMs: SAVE_EVERY_MS,
    leaseMs: LEASE_MS,
    renewEveryMs: RENEW_EVERY_MS,
    target: (shard) => ({ home: asker.home(leaseKey(migration, shard)), nodes: asker.nodes }),
    close: () => asker.close(),
  });
  try {
    const known = order.choice === 'fresh' ? new Map<number, StoredShard>() : left;
    if (order.choice === 'fresh') await dropMarkers(target, left);
    checkLeft(order.choice, known, setup);
    return { checkpoints, starts: await begin(order, { setup, migration, folder, known, checkpoints }, tell) };
  } catch (error) {
    await checkpoints.close();
    throw error;
  }
}

/** The later of what stands here and on the target. */
async function leftState(
  folder: string,
  asker: TargetAsker,
  migration: string,
  shard: string,
): Promise<StoredShard | null> {
  const [here, there] = await Promise.all([
    readShardState(folder, shard),
    readLeftState(asker.home(leaseKey(migration, shard)), migration, shard),
  ]);
  if (here === null || there === null) return here ?? there;
  return here.savedAt >= there.savedAt ? here : there;
}

function checkLeft(choice: ResumeChoice, left: ReadonlyMap<number, StoredShard>, now: Setup): void {
  const [first] = left.values();
  if (first === undefined) return;
  if (choice === 'ask') {
    throw new FerryError(
      `A run of this migration was left unfinished (${first.run}, last saved ${first.savedAt}): --resume goes on with it, --fresh begins anew.`,
      { code: 'usage', exitCode: EXIT.usage },
    );
  }
  const found = differences(first.progress.setup, now);
  if (found.length > 0) {
    throw new FerryError(
      `The unfinished run ${first.run} can not be resumed with another setup. ${found.join(' ')} Go back to what it was, or begin anew with --fresh.`,
      { code: 'usage', exitCode: EXIT.usage },
    );
  }
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
  readonly known: ReadonlyMap<number, StoredShard>;
  readonly checkpoints: RunCheckpoints;
}

/** Takes each shard's lease, behind which nobody else writes, and then looks where it stands. */
async function begin(order: CheckpointOrder, found: Known, tell: Tell): Promise<ReadonlyMap<number, ShardStart>> {
  const { run, origins, target, targetIsEmpty } = order;
  const { setup, migration, folder, known, checkpoints } = found;
  const [anyLeft] = known.values();
  // What other shards of an earlier process have written does not count.
  const targetWasEmpty = anyLeft?.progress.targetWasEmpty ?? targetIsEmpty;
  const targetSetup = { ...setup, target: { ...setup.target, ids: [...setup.target.ids, `migration:${migration}`] } };
  const starts = new Map<number, ShardStart>();
  const nodes = known.size === 0 ? [] : await nodesNow(target);
  for (const { id, origin } of origins) {
    if (origin.kind === 'file') continue;
    const stored = known.get(id);
    const name = `shard-${id}`;
    const progress = stored?.progress ?? newProgress(targetSetup, formatAddress(origin.address), targetWasEmpty);
    const shardRun = stored?.run ?? run;
    const markedSlots = target.topology.kind === 'cluster' ? SlotBitmap.of(slotsOf(origin.slots)) : new SlotBitmap();
    await checkpoints.add({ id, name, run: shardRun, progress: { ...progress, setup: targetSetup }, markedSlots });
    const keptFile = keptKeysFile(folder, name);
    const start = { run: shardRun, attempt: 1, targetWasEmpty, resume: null, keptFile };
    if (stored === undefined) {
      starts.set(id, start);
      continue;
    }
    checkKept(stored, keptFile);
    const resume = await resumeOf(target, origin, stored, nodes);
    if (typeof resume !== 'string') {
      tell('info', `${name} goes on behind byte ${resume.offset} of its source's stream.`);
      starts.set(id, { ...start, resume });
      continue;
    }
    if (!targetWasEmpty && order.conflictPolicy === 'panic') {
      throw new FerryError(
        `${name} can not go on (${resume}), and a second full sync could not tell its own keys from those that the target held before: empty the target, or begin anew with --fresh and --on-conflict rewrite.`,
        { code: 'usage', exitCode: EXIT.usage },
      );
    }
    tell('warn', `${name} begins a new full sync: ${resume}.`);
    // A second attempt takes off the target what the first has written.
    starts.set(id, { ...start, attempt: 2 });
  }
  return starts;
}

/** Takes away the markers of a run that nobody goes on with. */
async function dropMarkers({ endpoint, topology }: ServerSide, left: ReadonlyMap<number, StoredShard>): Promise<void> {
  if (left.size === 0) return;
  for (const { address, slots } of topology.shards) {
    const connection = await openControl(endpoint, address, 'redferry:resume');
    try {
      for (const { run, shard, progress } of left.values()) {
        if (topology.kind !== 'cluster') {
          for (const [, database] of (await connection.info('keyspace')).matchAll(/^db(\d+):/gm)) {
            await connection.select(Number(database));
            await connection.del(slotMarkerName(run, shard, STANDALONE_MARKER_SLOT));
          }
          continue;
        }
        const owned = new Set(slotsOf(slots));
        const nodes = progress.nodes.flatMap(({ nodeId, markerSlot }) =>
          markerSlot !== null && owned.has(markerSlot) ? [connectionMarkerName(run, shard, markerSlot, nodeId)] : [],
        );
        const names = [...owned].map((slot) => slotMarkerName(run, shard, slot));
        await Promise.all([...names, ...nodes].map((name) => connection.del(name)));
      }
    } finally {
      connection.disconnect();
    }
  }
}

/** Where the stream goes on, or why it can not. */
async function resumeOf(
  target: ServerSide,
  origin: ServerOrigin,
  { run, shard, progress, markedSlots }: StoredShard,
  nodes: readonly NodeNow[],
): Promise<ShardResume | string> {
  const { replid } = progress.source;
  if (progress.phase !== 'streaming' || progress.offset === null || replid === null) {
    return 'its snapshot was not finished';
  }
  if (progress.recopying) return 'keys were being copied again when it ended';
  // What was changing hands when the process was killed is nowhere for certain.
  if (!sameSlots(progress.slots, origin.slots)) return 'its slots were others than they are now';
  const source = await historyOf(origin);
  const plan = await planReplay(
    target.endpoint,
    {
      run,
      shard,
      history: source.history,
      settled: progress.offset,
      db: progress.db,
      replid,
      earliest: source.earliest,
      nodes: progress.nodes,
      slots: [...markedSlots.slots()],
    },
    nodes,
    target.topology.kind === 'cluster',
  );
  if (typeof plan === 'string') return plan;
  return {
    replid,
    offset: plan.offset,
    db: plan.db,
    skipUntil: plan.skipUntil,
    databases: plan.databases,
    nodeMarkers: progress.nodes.flatMap(({ nodeId, markerSlot }) =>
      markerSlot === null ? [] : [{ nodeId, slot: markerSlot }],
    ),
  };
}

/** The history that the source is in, and from where on it can be continued. */
async function historyOf({ endpoint, address }: ServerOrigin): Promise<{
  readonly history: SourceHistory;
  readonly earliest: number;
}> {
  const connection = await openControl(endpoint, address, 'redferry:resume');
  try {
    const info = await connection.info('replication');
    const field = (name: string): string | null => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? null;
    const replid2 = field('master_replid2');
    return {
      history: {
        replid: field('master_replid') ?? '',
        replid2: replid2 !== null && /[1-9a-f]/.test(replid2) ? replid2 : null,
        secondReplOffset: Number(field('second_repl_offset') ?? -1),
      },
      earliest:
        field('repl_backlog_active') === '1'
          ? Number(field('repl_backlog_first_byte_offset')) - 1
          : Number.POSITIVE_INFINITY,
    };
  } finally {
    connection.disconnect();
  }
}

/** The target's masters as they are now, with what tells them from their older selves. */
function nodesNow({ endpoint, topology }: ServerSide): Promise<NodeNow[]> {
  return Promise.all(
    topology.shards.map(async ({ address, nodeId, slots }) => {
      const connection = await openControl(endpoint, address, 'redferry:resume');
      try {
        const runId = /^run_id:(\w+)/m.exec(await connection.info('server'))?.[1] ?? null;
        const replid = /^master_replid:(\w+)/m.exec(await connection.info('replication'))?.[1] ?? null;
        return { address, nodeId, slots, runId, replid };
      } finally {
        connection.disconnect();
      }
    }),
  );
}

/** Those that a shard of a cluster may write to; all for a standalone. */
function slotsOf(ranges: readonly SlotRange[]): number[] {
  const own = ranges.length === 0 ? [{ first: 0, last: SLOT_COUNT - 1 }] : ranges;
  return own.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}
