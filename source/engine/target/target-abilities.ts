// What a target can do by its version.
import type { ServerVersion } from '../../topology/topology.ts';
import type { NativeAbilities } from '../../writers/element-block.ts';

/** SET ... PXAT is of 6.2. */
export function takesExpiryInSet(version: ServerVersion): boolean {
  return isAtLeast(version, [6, 2], 7);
}

/** FUNCTION is of 7.0. */
export function hasFunctions(version: ServerVersion): boolean {
  return isAtLeast(version, [7, 0], 7);
}

/** Of the commands by which values are written that RESTORE does not bring: XSETID's counters are of 7.0, XGROUP
 * CREATECONSUMER of 6.2, the expiry of a hash's field of Redis 7.4 and Valkey 9. */
export function nativeAbilities(version: ServerVersion): NativeAbilities {
  return {
    streamCounters: isAtLeast(version, [7, 0], 7),
    createConsumer: isAtLeast(version, [6, 2], 7),
    fieldExpiry: isAtLeast(version, [7, 4], 9),
  };
}

function isAtLeast(
  { product, major, minor }: ServerVersion,
  redis: readonly [number, number],
  valkey: number,
): boolean {
  if (product === 'Valkey') return major >= valkey;
  return major > redis[0] || (major === redis[0] && minor >= redis[1]);
}
