// A RESTORE of the stream (an application's, or of a key that moves between the source's shards) may bring a hash whose
// fields expire: the times stand inside its payload, which is written anew with all of them held.
import { WholeView } from '../../rdb/byte-view.ts';
import { dumpPayload } from '../../rdb/dump-payload.ts';
import type { Loss } from '../../rdb/encode-goal.ts';
import { FOOTER_BYTES, hasFieldExpiries } from '../../rdb/format.ts';
import { type AcceptedVersions, FIRST_VALKEY_VERSION } from '../../rdb/payload-version.ts';
import { RdbError } from '../../rdb/rdb-error.ts';
import { Reencoder } from '../../rdb/reencode.ts';

export class HeldPayloads {
  readonly #reencoder: Reencoder;

  constructor(accepted: AcceptedVersions, lost: (loss: Loss) => void, fieldExpiry: (expiresAtMs: number) => number) {
    this.#reencoder = new Reencoder(accepted, lost, fieldExpiry);
  }

  /** @returns null where there is nothing to hold, or what no server would take: then it goes on as it is. */
  hold(payload: Buffer): Buffer | null {
    const bodyEnd = payload.length - FOOTER_BYTES;
    if (bodyEnd < 1) return null;
    const type = payload[0] as number;
    const dialect = payload.readUInt16LE(bodyEnd) >= FIRST_VALKEY_VERSION ? 'valkey' : 'redis';
    if (!hasFieldExpiries(type, dialect)) return null;
    try {
      const value = this.#reencoder.rewrite(type, dialect, new WholeView(payload.subarray(1, bodyEnd)));
      return value === null ? null : dumpPayload(value.type, value.bytes.subarray(0, value.length), value.version);
    } catch (error) {
      if (error instanceof RdbError) return null;
      throw error;
    }
  }
}
