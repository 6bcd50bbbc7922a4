// Makes of a fetched value the command that puts it on the target: RESTORE over what is there, of the payload as it came
// or in an encoding that the target takes, or DEL where the source has no such key.
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { WholeView } from '../../rdb/byte-view.ts';
import { dumpPayload } from '../../rdb/dump-payload.ts';
import type { Loss } from '../../rdb/encode-goal.ts';
import { FOOTER_BYTES } from '../../rdb/format.ts';
import { acceptedVersions, FIRST_VALKEY_VERSION } from '../../rdb/payload-version.ts';
import { Reencoder } from '../../rdb/reencode.ts';
import { type ValueWay, valueWays } from '../../rdb/value-way.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import type { FetchedKey } from './recopy-source.ts';

export type RecopyCommand =
  | { readonly kind: 'restore' | 'delete'; readonly bytes: Buffer }
  | { readonly kind: 'impossible'; readonly reason: string };

export class RecopyRestore {
  readonly #target: ServerVersion;
  readonly #reencoder: Reencoder;
  #waysOf = -1;
  #ways: readonly ValueWay[] = [];

  /** @param lost told of what of a value the target has no place for. */
  constructor(target: ServerVersion, lost: (loss: Loss) => void) {
    this.#target = target;
    this.#reencoder = new Reencoder(acceptedVersions(target), lost);
  }

  command({ key, payload, expiresAtMs }: FetchedKey): RecopyCommand {
    if (payload === null) return { kind: 'delete', bytes: encodeCommand(['DEL', key]) };
    const fitting = this.#fit(payload);
    if (typeof fitting === 'string') return { kind: 'impossible', reason: fitting };
    if (fitting === null) return { kind: 'delete', bytes: encodeCommand(['DEL', key]) };
    const expiry = expiresAtMs < 0 ? '0' : String(expiresAtMs);
    return { kind: 'restore', bytes: encodeCommand(['RESTORE', key, expiry, fitting, 'REPLACE', 'ABSTTL']) };
  }

  /** The payload as the target takes it; null when nothing is left of the value; or why there is none. */
  #fit(payload: Buffer): Buffer | string | null {
    const type = payload[0] as number;
    const bodyEnd = payload.length - FOOTER_BYTES;
    const version = payload.readUInt16LE(bodyEnd);
    const dialect = version >= FIRST_VALKEY_VERSION ? 'valkey' : 'redis';
    if (version !== this.#waysOf) {
      this.#ways = valueWays({ version, dialect }, acceptedVersions(this.#target));
      this.#waysOf = version;
    }
    const way = this.#ways[type] as ValueWay;
    if (way.kind === 'impossible') return way.reason;
    const body = payload.subarray(1, bodyEnd);
    if (way.kind === 'restore' && !this.#reencoder.isTreacherous(type, dialect, new WholeView(body)))
      return way.version === version ? payload : dumpPayload(type, body, way.version);
    const rewritten = this.#reencoder.rewrite(type, dialect, new WholeView(body));
    if (rewritten === null) return 'only commands could carry its value, which a re-copy does not use';
    if (rewritten.empty) return null;
    return dumpPayload(rewritten.type, rewritten.bytes.subarray(0, rewritten.length), rewritten.version);
  }
}
