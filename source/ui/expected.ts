// What was asked of the run and no picture shows yet. Keys and questions go by it: a second `p` takes the first one back,
// however late the picture of the first is. What is drawn of the run itself stays what the engine has told.
import type { EngineCommand, ShardSelection } from '../engine/contract/command.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { UNLIMITED } from '../engine/rate/rate-gate.ts';
import { isUnderWay } from './validation-keys.ts';

/**
 * For how long after its answer a command counts, by the engine's clock: the threads of the shards tell what they do a few
 * times a second, so that pictures newer than this show it.
 */
const UNSEEN_MS = 1000;

/** A command on its way into the pictures. */
export interface Asked {
  readonly command: EngineCommand;
  /** When the picture was taken that was the newest at the answer; null until there is one. */
  readonly answeredAtMs: number | null;
}

/** Whether a picture of that age may still lack what the command does. */
export const isUnseen = ({ answeredAtMs }: Asked, { takenAtMs }: EngineSnapshot): boolean =>
  answeredAtMs === null || takenAtMs < answeredAtMs + UNSEEN_MS;

const withShards = (
  snapshot: EngineSnapshot,
  shards: ShardSelection,
  fields: (shard: ShardSnapshot) => Partial<ShardSnapshot>,
): EngineSnapshot => ({
  ...snapshot,
  shards: snapshot.shards.map((shard) =>
    shards === 'all' || shards.includes(shard.id) ? { ...shard, ...fields(shard) } : shard,
  ),
});

/** Flags that were put back to what they had been, which no picture tells. */
const UNKNOWN_FLAGS = '?';

const withEvents = (snapshot: EngineSnapshot, shards: ShardSelection, on: boolean): EngineSnapshot =>
  withShards(snapshot, shards, ({ changes }) => {
    if (changes === null) return {};
    const { flags, needed } = changes;
    if (on) return { changes: { ...changes, flags: needed } };
    return flags === needed ? { changes: { ...changes, flags: UNKNOWN_FLAGS } } : {};
  });

/** The picture as it is to be when the command has taken effect, as far as keys and questions look at it. */
const withEffect = (snapshot: EngineSnapshot, command: EngineCommand): EngineSnapshot => {
  const { validation } = snapshot;
  switch (command.type) {
    case 'pause':
    case 'resume':
      return withShards(snapshot, command.shards, () => ({ paused: command.type === 'pause' }));
    case 'setRate': {
      const { shards, rate } = command;
      if (shards !== 'all') return withShards(snapshot, shards, () => ({ rate: rate ?? UNLIMITED }));
      return rate === null ? snapshot : { ...snapshot, rate: { ...snapshot.rate, limit: rate } };
    }
    case 'setConflictPolicy':
      return withShards(snapshot, command.shards, () => ({ conflictPolicy: command.policy }));
    case 'setKeyspaceEvents':
      return withEvents(snapshot, command.shards, command.on);
    case 'steer-validation':
      if (validation === null || !isUnderWay(validation) || command.act === 'cancel') return snapshot;
      return { ...snapshot, validation: { ...validation, state: command.act === 'pause' ? 'paused' : 'running' } };
    case 'set-validation-rate':
      if (validation === null) return snapshot;
      return { ...snapshot, validation: { ...validation, mostKeysPerSecond: command.keysPerSecond } };
    case 'stop':
    case 'finish':
      return snapshot.phase === 'ended' ? snapshot : { ...snapshot, phase: 'draining' };
    default:
      return snapshot;
  }
};

/** `snapshot` with what was asked for since, in that order. */
export const expected = (snapshot: EngineSnapshot, asked: readonly Asked[]): EngineSnapshot =>
  asked.reduce((picture, { command }) => withEffect(picture, command), snapshot);
