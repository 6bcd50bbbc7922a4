// Copies single keys again on connections of its own: only for when no run writes to the target, since nothing here knows
// the stream. One after the other: the values may be big, and there are few.
import { ServerInfo } from '../../topology/server-info.ts';
import { placesOf } from '../../validation/database-numbers.ts';
import { clockOf, expiryCommand, expiryOf, NO_EXPIRY } from '../../validation/expiry.ts';
import type { LinkedSide } from '../../validation/linked-side.ts';
import { openSides } from '../../validation/linked-sides.ts';
import { type Difference, sidedKey } from '../../validation/report.ts';
import { ReplyError } from '../../validation/resp-reader.ts';
import { type CompareSide, type Side, text } from '../../validation/side.ts';
import { messageOf } from '../errors.ts';
import { RecopyRestore } from './recopy-restore.ts';

export interface DirectCopyOptions {
  readonly source: CompareSide;
  readonly target: CompareSide;
  /** Keys that the source does not have are deleted; else they are left as they are. */
  readonly mayDelete: boolean;
}

/** Tells of each key why it was not written; null when it was. @throws Error when a side can not be reached. */
export async function copyDirectly(
  differences: readonly Difference[],
  { source, target, mayDelete }: DirectCopyOptions,
  tell: (difference: Difference, failure: string | null) => void,
): Promise<void> {
  const sides = await openSides(source, target);
  try {
    const info = new ServerInfo(text((await sides.target.side.nodes[0]?.call(['INFO', 'server'])) ?? null));
    // What is lost on the way to an older target is still different when it is compared again.
    const restore = new RecopyRestore(info.version(), () => {});
    for (const difference of differences) {
      tell(difference, await copyKey(sides.source.side, sides.target, restore, difference, mayDelete));
    }
  } finally {
    sides.close();
  }
}

async function copyKey(
  source: Side,
  target: LinkedSide,
  restore: RecopyRestore,
  difference: Difference,
  mayDelete: boolean,
): Promise<string | null> {
  const { key } = difference;
  const places = placesOf(target.side.description.databases, sidedKey(difference));
  const database = places.target;
  if (target.side.cluster && database !== 0) return `a cluster has no database ${database}`;
  const payload = await fetchFirst(source, places.source, key);
  if (payload instanceof ReplyError) return payload.message;
  if (payload.bytes === null && !mayDelete) return 'the source does not have it any more';
  const command = restore.command({ key, payload: payload.bytes, expiresAtMs: payload.expiresAtMs });
  if (command.kind === 'impossible') return command.reason;
  const link = target.links[target.side.numberOf(key)];
  if (link === undefined) return 'no node of the target holds its slot';
  try {
    const replies = await link.request([command.bytes], 1, { database });
    const answer = replies.bytes.toString('latin1', 0, replies.end).trim();
    link.release(replies);
    return answer.startsWith('-') ? answer.slice(1) : null;
  } catch (error) {
    return messageOf(error);
  }
}

interface Fetched {
  /** null: the source does not have it. */
  readonly bytes: Buffer | null;
  readonly expiresAtMs: number;
}

/** From the first of the databases that has it. */
async function fetchFirst(source: Side, databases: readonly number[], key: Buffer): Promise<Fetched | ReplyError> {
  for (const database of databases) {
    const fetched = await fetch(source, database, key);
    if (fetched instanceof ReplyError || fetched.bytes !== null) return fetched;
  }
  return { bytes: null, expiresAtMs: NO_EXPIRY };
}

async function fetch(source: Side, database: number, key: Buffer): Promise<Fetched | ReplyError> {
  if (source.cluster && database !== 0) return { bytes: null, expiresAtMs: NO_EXPIRY };
  const [time, expiry, payload] = await source
    .nodeOf(key)
    .batch([['TIME'], expiryCommand(source.exactExpiry, key), ['DUMP', key]], database);
  if (payload instanceof ReplyError) return payload;
  if (!Buffer.isBuffer(payload)) return { bytes: null, expiresAtMs: NO_EXPIRY };
  return { bytes: payload, expiresAtMs: expiryOf(source.exactExpiry, expiry, clockOf(time)) };
}
