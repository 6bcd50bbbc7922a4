// What a link to the target that is opened while the shard is at work says when it fails.
import { FerryError, messageOf } from './errors.ts';

/** Codes of a connection that could not be opened (protocol/connection.ts). */
const OUT_OF_REACH: ReadonlySet<string> = new Set(['timeout', 'unreachable', 'lost']);

/**
 * The target was there when the shard began: that it is out of reach now is a broken link (`target-lost`), which the shard
 * begins anew for. Anything else stays what it is.
 */
export function asTargetLoss(thrown: unknown): FerryError {
  if (!(thrown instanceof FerryError)) return new FerryError(messageOf(thrown), { code: 'internal', cause: thrown });
  if (!OUT_OF_REACH.has(thrown.code)) return thrown;
  return new FerryError(thrown.message, { code: 'target-lost', retriable: true, cause: thrown });
}
