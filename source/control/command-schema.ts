// Every command of the engine as the socket takes it: what comes from another process is checked field by field.
import { z } from 'zod';
import type { EngineCommand } from '../engine/contract/command.ts';
import { CONFLICT_POLICIES } from '../engine/contract/conflict.ts';

const MOST_SHARDS = 100_000;
const shards = z.union([z.literal('all'), z.array(z.int().min(0)).min(1).max(MOST_SHARDS)]);

/** As many as a question has room for. */
const MOST_KEYS = 10_000;
const keyName = z.strictObject({ database: z.int().min(0), key: z.base64() });

const perSecond = z.int().min(1).nullable();
const rate = z.strictObject({ bytesPerSecond: perSecond, operationsPerSecond: perSecond });

const MOST_SIZE_CHARACTERS = 40;

const engineCommand = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('pause'), shards }),
  z.strictObject({ type: z.literal('resume'), shards }),
  z.strictObject({ type: z.literal('setRate'), shards, rate: rate.nullable() }),
  z.strictObject({ type: z.literal('repair'), keys: z.array(keyName).min(1).max(MOST_KEYS) }),
  z.strictObject({ type: z.literal('validate'), size: z.string().max(MOST_SIZE_CHARACTERS).nullable() }),
  z.strictObject({ type: z.literal('steer-validation'), act: z.enum(['pause', 'resume', 'cancel']) }),
  z.strictObject({ type: z.literal('set-validation-rate'), keysPerSecond: z.int().min(1).nullable() }),
  z.strictObject({ type: z.literal('export-validation') }),
  z.strictObject({
    type: z.literal('repair-differences'),
    kind: z.enum(['differing', 'extra']),
    keys: z.array(keyName).min(1).max(MOST_KEYS).nullable(),
  }),
  z.strictObject({
    type: z.literal('setConflictPolicy'),
    shards,
    policy: z.enum(CONFLICT_POLICIES),
  }),
  z.strictObject({
    type: z.literal('decideConflict'),
    shard: z.int().min(0),
    question: z.int().min(1),
    decision: z.enum(['rewrite', 'ignore', 'compare', 'one-by-one']),
  }),
  z.strictObject({ type: z.literal('setKeyspaceEvents'), shards, on: z.boolean() }),
  z.strictObject({ type: z.literal('rescan'), shards }),
  z.strictObject({ type: z.literal('removeLeftovers'), shards }),
  z.strictObject({ type: z.literal('retryShard'), shard: z.int().min(0) }),
  z.strictObject({ type: z.literal('restartShard'), shard: z.int().min(0) }),
  z.strictObject({ type: z.literal('skipShard'), shard: z.int().min(0) }),
  z.strictObject({ type: z.literal('finish') }),
  z.strictObject({ type: z.literal('stop') }),
]) satisfies z.ZodType<EngineCommand>;

type Known = z.infer<typeof engineCommand>['type'];
type Lacking = Exclude<EngineCommand['type'], Known>;

/** The names of all commands. Does not compile when the engine has one that the schema above lacks. */
export const COMMAND_TYPES: readonly ([Lacking] extends [never] ? string : never)[] = engineCommand.options.map(
  ({ shape }): Known => shape.type.value,
);

/** The command in `value`, or null when it is none that the engine has. */
export function commandIn(value: unknown): EngineCommand | null {
  const parsed = engineCommand.safeParse(value);
  return parsed.success ? parsed.data : null;
}
