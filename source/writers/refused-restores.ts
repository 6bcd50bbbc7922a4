// What to learn from a RESTORE that the target refused: some services forbid the command, some versions do not take an
// encoding that their number promises. Such values are written by commands instead, and those that follow at once so.
import type { NativeKey } from './native-writer.ts';

/** noted: this type, or every type, goes by commands from now on. */
export type Lesson =
  | { readonly kind: 'all'; readonly reply: string }
  | { readonly kind: 'type'; readonly type: number };

/** Version and checksum behind the value. */
const FOOTER_BYTES = 10;

/** What the refusal teaches; null when commands would fare no better. */
export function lessonOf(args: readonly Buffer[], reply: string): Lesson | null {
  if (args[0]?.toString('latin1').toUpperCase() !== 'RESTORE') return null;
  if (/^NOPERM|unknown command|unsupported command|not allowed/i.test(reply)) return { kind: 'all', reply };
  const type = args[3]?.[0];
  if (type !== undefined && /Bad data format|payload version or checksum/i.test(reply)) return { kind: 'type', type };
  return null;
}

export interface RefusedRestore {
  readonly type: number;
  readonly value: Buffer;
  readonly expiresAtMs: number;
}

/** Reads a RESTORE of ours (writers/snapshot-writer.ts): key, expiry (absolute, 0 for none), payload, options. */
export function readRestore(args: readonly Buffer[]): (RefusedRestore & Pick<NativeKey, 'key'>) | null {
  const [, key, expiry, payload] = args;
  if (key === undefined || expiry === undefined || payload === undefined || payload.length <= FOOTER_BYTES) return null;
  const expiresAtMs = Number(expiry.toString('latin1'));
  return {
    key: Buffer.from(key),
    expiresAtMs: expiresAtMs === 0 ? -1 : expiresAtMs,
    type: payload[0] as number,
    value: Buffer.from(payload.subarray(1, payload.length - FOOTER_BYTES)),
  };
}
