// What the header and the plain lines say about the whole run, added up from its shards. Pure.
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Progress, ShardSnapshot } from '../engine/contract/shard-snapshot.ts';

export interface Totals {
  readonly shards: number;
  /** Shards that follow the stream or have finished. */
  readonly following: number;
  readonly done: number;
  readonly failed: number;
  readonly retrying: number;
  readonly paused: number;
  readonly opsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly keys: Progress;
  readonly bytes: Progress;
  /** Share of the snapshots that is applied, 0 to 1; null while nothing is known of any size. */
  readonly share: number | null;
  /** The longest of the shards' estimates; null unless every unfinished shard has one. */
  readonly etaSeconds: number | null;
  readonly lagSeconds: number | null;
  readonly lagBytes: number | null;
  /** Name of the shard with the worst lag. */
  readonly lagShard: string | null;
  readonly queued: number;
  readonly errors: number;
  readonly commands: number;
}

/** Whether the shard's snapshot lies behind it. */
export const snapshotApplied = (shard: ShardSnapshot): boolean =>
  shard.state === 'catching-up' || shard.state === 'streaming' || shard.state === 'done';

/** Share of one shard's snapshot that is applied, 0 to 1; bytes where the number of keys is not announced. */
export const snapshotShare = (shard: ShardSnapshot): number | null => {
  const { done, total } = shard.bytes;
  // The commands of an AOF stand behind its snapshot: they are part of what there is to do.
  if (snapshotApplied(shard))
    return total === null || total === 0 || shard.state === 'done' ? 1 : Math.min(1, done / total);
  for (const { done, total } of [shard.keys, shard.bytes]) {
    if (total !== null && total > 0) return Math.min(1, done / total);
  }
  return null;
};

const sum = (shards: readonly ShardSnapshot[], pick: (shard: ShardSnapshot) => number): number =>
  shards.reduce((total, shard) => total + pick(shard), 0);

const sumProgress = (shards: readonly ShardSnapshot[], pick: (shard: ShardSnapshot) => Progress): Progress => ({
  done: sum(shards, (shard) => pick(shard).done),
  // One unknown part makes the whole unknown: a total that grows later would make the bar run backwards.
  total: shards.some((shard) => pick(shard).total === null) ? null : sum(shards, (shard) => pick(shard).total ?? 0),
});

/** Mean of the shards' shares, weighted by their keys where all of them are known. */
const overallShare = (shards: readonly ShardSnapshot[], keys: Progress): number | null => {
  const shares = shards.map(snapshotShare);
  if (shares.every((share) => share === null)) return null;
  if (shares.every((share) => share === 1)) return 1;
  if (keys.total !== null && keys.total > 0) return Math.min(1, keys.done / keys.total);
  return shares.reduce((total: number, share) => total + (share ?? 0), 0) / shares.length;
};

const longestEta = (shards: readonly ShardSnapshot[]): number | null => {
  const open = shards.filter((shard) => snapshotShare(shard) !== 1 && shard.state !== 'failed');
  if (open.length === 0 || open.some((shard) => shard.etaSeconds === null)) return null;
  return Math.max(...open.map((shard) => shard.etaSeconds ?? 0));
};

/** Adds up a picture. */
export const totalsOf = ({ shards }: EngineSnapshot): Totals => {
  let worst: ShardSnapshot | null = null;
  for (const shard of shards) {
    if (shard.lagSeconds !== null && shard.lagSeconds > (worst?.lagSeconds ?? -1)) worst = shard;
  }
  const keys = sumProgress(shards, (shard) => shard.keys);
  const lags = shards.filter((shard) => shard.lagBytes !== null);
  return {
    shards: shards.length,
    following: shards.filter((shard) => shard.state === 'streaming' || shard.state === 'done').length,
    done: shards.filter((shard) => shard.state === 'done').length,
    failed: shards.filter((shard) => shard.state === 'failed').length,
    retrying: shards.filter((shard) => shard.state === 'retrying').length,
    paused: shards.filter((shard) => shard.paused).length,
    opsPerSecond: sum(shards, (shard) => shard.opsPerSecond),
    bytesPerSecond: sum(shards, (shard) => shard.bytesPerSecond),
    keys,
    bytes: sumProgress(shards, (shard) => shard.bytes),
    share: overallShare(shards, keys),
    etaSeconds: longestEta(shards),
    lagSeconds: worst?.lagSeconds ?? null,
    lagBytes: lags.length === 0 ? null : sum(lags, (shard) => shard.lagBytes ?? 0),
    lagShard: worst?.name ?? null,
    queued: sum(shards, (shard) => shard.queued),
    errors: sum(shards, (shard) => shard.errors),
    commands: sum(shards, (shard) => shard.commands),
  };
};
