// What is remembered of one source shard between two processes: in a file here (state-store.ts) and, without the slots,
// in the lease on the target. Names of keys are not in it.
import { z } from 'zod';
import { FerryError, messageOf } from '../engine/errors.ts';
import { setupSchema } from './fingerprint.ts';
import { SlotBitmap } from './slot-bitmap.ts';

/** Of this format; a later one that can not be read as this one counts up. */
export const STATE_VERSION = 1;

const offset = z.int().min(0);
const slot = z.int().min(0).max(16_383);

/** A target node as the run knew it. */
const nodeSchema = z
  .strictObject({
    /** Cluster node id; of a standalone any constant. */
    nodeId: z.string(),
    /** Ids of its replicas when last seen: promoted, they hold the markers that name it. */
    replicaIds: z.array(z.string()).readonly(),
    /** Slots it owned; empty for a standalone. */
    slots: z.array(z.strictObject({ first: slot, last: slot }).readonly()).readonly(),
    /** run_id and master_replid of its INFO: while both are the same it has lost nothing. */
    runId: z.string().nullable(),
    replid: z.string().nullable(),
    /** Slot that its connection marker stands in; null while it has none. */
    markerSlot: slot.nullable(),
    /**
     * Where the last command ended that was sent to it, of those at or before `offset`; the snapshot counts as one that
     * ended where the stream begins. null: nothing at all was sent to it. Rather too large than too small.
     */
    sentOffset: offset.nullable(),
  })
  .readonly();
export type KnownNode = z.infer<typeof nodeSchema>;

export const progressSchema = z
  .strictObject({
    source: z
      .strictObject({
        address: z.string(),
        nodeId: z.string().nullable(),
        replid: z.string().nullable(),
        replid2: z.string().nullable(),
        secondReplOffset: z.int(),
      })
      .readonly(),
    /**
     * A snapshot that is not done is made anew; from `copied` on the stream can be continued. `copied`: everything up to
     * `offset` has taken effect, and no markers stand on the target; `streaming`: they do.
     */
    phase: z.enum(['copying', 'copied', 'streaming']),
    /** Everything up to and with this byte has taken effect on the target; null while there is no snapshot. */
    offset: offset.nullable(),
    /** The source's database in force behind it. */
    db: z.int().min(0),
    /** Whether the target had no keys when the run began: all it has are then the run's own. */
    targetWasEmpty: z.boolean(),
    /**
     * Which keys it had else: noting while that is being written down, in a file beside, before the run writes anything;
     * unknown also where there was no key.
     */
    before: z.enum(['unknown', 'noting', 'noted']).default('unknown'),
    nodes: z.array(nodeSchema).readonly(),
    /** Of a source cluster: the slots whose keys and commands are on the target up to `offset` through this shard. */
    slots: z.array(z.strictObject({ first: slot, last: slot }).readonly()).readonly(),
    /** Keys were being copied again: commands on them had been passed over. */
    recopying: z.boolean(),
    /** How many keys the conflict policy keeps from the stream; which they are stands in a file beside. */
    kept: z.int().min(0),
    /** Keys of the snapshot that were written. */
    keys: z.int().min(0),
    setup: setupSchema,
  })
  .readonly();

/** How far a shard has come. */
export type ShardProgress = z.infer<typeof progressSchema>;

const storedSchema = z.strictObject({
  v: z.literal(STATE_VERSION),
  engine: z.string(),
  run: z.string(),
  shard: z.string(),
  savedAt: z.iso.datetime(),
  progress: progressSchema,
  markedSlots: z.string(),
  recopied: z.array(z.strictObject({ offset, slots: z.string() })),
});

/** Slots that were to be copied again: their markers are of the copy, or newer, once they are at `offset` or behind it. */
export interface RecopiedSlots {
  readonly offset: number;
  readonly slots: SlotBitmap;
}

/** A state that was read. */
export interface StoredShard {
  /** Version of redferry that wrote it. */
  readonly engine: string;
  readonly run: string;
  readonly shard: string;
  /** ISO, UTC. */
  readonly savedAt: string;
  readonly progress: ShardProgress;
  /** Slots that have a marker on the target, or were about to have one. */
  readonly markedSlots: SlotBitmap;
  readonly recopied: readonly RecopiedSlots[];
}

export function formatShardState(state: StoredShard): string {
  const markedSlots = state.markedSlots.toBase64();
  const recopied = state.recopied.map(({ offset, slots }) => ({ offset, slots: slots.toBase64() }));
  return `${JSON.stringify({ v: STATE_VERSION, ...state, markedSlots, recopied })}\n`;
}

/**
 * Reads what `formatShardState` wrote.
 * @param where names the place it was found, for the message.
 * @throws FerryError `state`, saying what to do, for anything else.
 */
export function parseShardState(text: string, where: string): StoredShard {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (thrown) {
    throw broken(where, messageOf(thrown), thrown);
  }
  const written = z.object({ v: z.int(), engine: z.string() }).safeParse(content);
  if (written.success && written.data.v > STATE_VERSION) {
    throw new FerryError(
      `${where} was written by a newer redferry (${printable(written.data.engine)}): resume with that version, or move the file away to begin anew.`,
      { code: 'state' },
    );
  }
  const read = storedSchema.safeParse(content);
  if (!read.success) {
    const issue = read.error.issues[0];
    throw broken(where, issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`, read.error);
  }
  const { engine, run, shard, savedAt, progress } = read.data;
  const markedSlots = bitmap(read.data.markedSlots, where);
  const recopied = read.data.recopied.map(({ offset, slots }) => ({ offset, slots: bitmap(slots, where) }));
  return { engine, run, shard, savedAt, progress, markedSlots, recopied };
}

function bitmap(text: string, where: string): SlotBitmap {
  const slots = SlotBitmap.fromBase64(text);
  if (slots === null) throw broken(where, 'a set of slots is no bitmap of 16384', null);
  return slots;
}

function broken(where: string, why: string, cause: unknown): FerryError {
  return new FerryError(
    `${where} is not a state that redferry wrote, or is damaged (${printable(why)}): move it away; without it the run begins anew, or is resumed from what the target remembers.`,
    { code: 'state', cause },
  );
}

function printable(text: string): string {
  return text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?');
}
