// How far a command has to be confirmed before it is obeyed, whoever asks (design, section 9): the screens choose their
// question by it, a script has to say it in words, and the engine checks both.
import type { EngineCommand } from '../contract/command.ts';
import type { EngineSnapshot } from '../contract/engine-snapshot.ts';
import type { Confirmation, ConfirmationLevel } from '../contract/order.ts';
import { UNLIMITED } from '../rate/rate-gate.ts';
import { isHigher } from '../rate/rate-words.ts';
import { namesTarget } from './target-name.ts';

type Level<T> = ConfirmationLevel | ((snapshot: EngineSnapshot, command: T) => ConfirmationLevel);
type Of<T extends EngineCommand['type']> = Extract<EngineCommand, { readonly type: T }>;

const LEVELS: { readonly [T in EngineCommand['type']]: Level<Of<T>> } = {
  pause: 'none',
  resume: 'none',
  repair: 'target',
  // After a failure it is a whole full sync.
  retryShard: ({ shards }, { shard }) => (shards.find(({ id }) => id === shard)?.state === 'failed' ? 'yes' : 'none'),
  restartShard: 'yes',
  skipShard: 'target',
  removeLeftovers: 'target',
  setRate: (snapshot, command) => (isFaster(command, snapshot) ? 'yes' : 'none'),
  validate: 'none',
  'steer-validation': 'none',
  'set-validation-rate': 'none',
  'export-validation': 'none',
  'repair-differences': 'target',
  setConflictPolicy: (_, { policy }) => (policy === 'rewrite' ? 'target' : 'none'),
  // Put back at the end, but the source pays for it meanwhile; the other scan costs as much as the first.
  setKeyspaceEvents: 'yes',
  rescan: 'yes',
  // One key, with both sides before the eye, is less than all that were put aside.
  decideConflict: ({ shards }, { shard, decision }) => {
    if (decision !== 'rewrite') return 'none';
    const question = shards.find(({ id }) => id === shard)?.conflictStanding.question;
    return question?.kind === 'key' ? 'yes' : 'target';
  },
  finish: (snapshot) => (isInSync(snapshot) ? 'yes' : 'target'),
  // What was received is applied first, and the outcome says what is missing.
  stop: 'none',
};

/** What `command` needs at this moment. */
export function levelOf<T extends EngineCommand['type']>(
  command: Of<T> & { readonly type: T },
  snapshot: EngineSnapshot,
): ConfirmationLevel {
  const level: Level<Of<T>> = LEVELS[command.type];
  return typeof level === 'function' ? level(snapshot, command) : level;
}

/** The target will feel it. What is configured may be more than what is in force. */
function isFaster({ shards, rate }: Of<'setRate'>, run: EngineSnapshot): boolean {
  if (shards === 'all') return isHigher(run.rate.limit, rate ?? UNLIMITED);
  return run.shards.some((shard) => shards.includes(shard.id) && isHigher(shard.rate, rate ?? UNLIMITED));
}

/** What a drain makes up for at once. */
const CLOSE_SECONDS = 5;

/** Every shard follows its source closely, and nobody holds one back. */
export function isInSync({ shards }: EngineSnapshot): boolean {
  return shards.every(
    ({ state, paused, lagSeconds }) =>
      state === 'done' || (state === 'streaming' && !paused && (lagSeconds ?? 0) <= CLOSE_SECONDS),
  );
}

/** Whether what was answered is as much as `level` asks for. */
export function isConfirmed(level: ConfirmationLevel, confirmed: Confirmation, target: string): boolean {
  if (level === 'none' || confirmed === 'self') return true;
  if (typeof confirmed === 'string') return level === 'yes' && confirmed === 'yes';
  return namesTarget(confirmed.target, target);
}
