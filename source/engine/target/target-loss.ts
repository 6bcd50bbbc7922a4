// What a link to the target that is opened while the shard is at work says when it fails.
import { FerryError, toFerryError } from '../errors.ts';

/** Codes of a connection that could not be opened (protocol/connection.ts). */
const OUT_OF_REACH: ReadonlySet<string> = new Set(['timeout', 'unreachable', 'lost']);

/**
 * The target was there when the shard began: that it is out of reach now is a broken link (`target-lost`), which the shard
 * begins anew for. Anything else stays what it is.
 */
export function asTargetLoss(thrown: unknown): FerryError {
  const error = toFerryError(thrown);
  if (!OUT_OF_REACH.has(error.code)) return error;
  return new FerryError(error.message, { code: 'target-lost', retriable: true, cause: error });
}
