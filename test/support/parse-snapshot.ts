// Runs the snapshot parser over bytes given in pieces of any size, and notes what it hands out.
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { SnapshotParser } from '../../source/readers/snapshot-parser.ts';
import type { SnapshotHeader } from '../../source/readers/snapshot-sink.ts';

export interface ParsedValue {
  readonly database: number;
  readonly key: Buffer;
  readonly type: number;
  readonly expiresAtMs: number;
  readonly value: Buffer;
}

export interface ParsedSnapshot {
  readonly header: SnapshotHeader | null;
  readonly values: readonly ParsedValue[];
  readonly oversized: readonly { readonly key: Buffer; readonly bytes: number }[];
  readonly ended: boolean;
  /** Bytes taken. */
  readonly position: number;
}

/**
 * @param pieceBytes how much is given at a time; a list gives the first pieces, and then the rest.
 * @throws what the parser throws.
 */
export function parseSnapshot(
  file: Buffer,
  pieceBytes: number | readonly number[],
  valueLimit = 1 << 30,
): ParsedSnapshot {
  const window = new ByteWindow();
  const values: ParsedValue[] = [];
  const oversized: { key: Buffer; bytes: number }[] = [];
  let header: SnapshotHeader | null = null;
  const parser = new SnapshotParser(
    window,
    {
      saturated: false,
      header: (read) => {
        header = read;
      },
      entry: ({ database, keyBytes, keyStart, keyLength, type, parts, bytes, valueStart, valueEnd, expiresAtMs }) => {
        const key = Buffer.from(keyBytes.subarray(keyStart, keyStart + keyLength));
        values.push({
          database,
          key,
          type,
          expiresAtMs,
          value: Buffer.concat([...parts, bytes.subarray(valueStart, valueEnd)]),
        });
      },
      beginBig: ({ keyBytes, keyStart, keyLength }) => {
        const key = Buffer.from(keyBytes.subarray(keyStart, keyStart + keyLength));
        return { kind: 'skip', skipped: (bytes) => void oversized.push({ key, bytes }) };
      },
      announcedKeys: () => {},
      aux: () => {},
      functionLibrary: () => {},
      leftOut: () => {},
    },
    { valueBytes: valueLimit },
  );
  let given = 0;
  let pieces = 0;
  const nextPiece = (): number =>
    typeof pieceBytes === 'number' ? pieceBytes : (pieceBytes[pieces++] ?? file.length - given);
  const source = {
    read(into: Uint8Array, offset: number, length: number): number {
      const count = Math.min(nextPiece(), length, file.length - given);
      into.set(file.subarray(given, given + count), offset);
      given += count;
      return count;
    },
  };
  let status = parser.parse();
  while (status !== 'end' && window.fill(source) > 0) status = parser.parse();
  return { header, values, oversized, ended: status === 'end', position: window.position };
}
