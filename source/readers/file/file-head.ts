// Tells from its first bytes what a file is, never from its name. Sources: rdb-format reference (section 1), aof.c of
// Redis 7 (an AOF begins with a command, an annotation or an RDB), compression_stream.h of Valkey 9.2.
import type { FileFormat } from '../../config/address.ts';
import { configError } from '../../config/config-error.ts';
import type { FerryError } from '../../engine/errors.ts';
import { type Dialect, MAGIC_BYTES } from '../../rdb/format.ts';

export type FileHead =
  | { readonly kind: 'rdb'; readonly version: number; readonly dialect: Dialect; readonly frameBytes: number }
  | { readonly kind: 'commands' | 'json' | 'manifest' | 'vcs' | 'empty' }
  | { readonly kind: 'unknown'; readonly begins: string };

/** Bytes that are enough to tell: the longest frame before the magic, and the magic. */
export const HEAD_BYTES = 64;

/** What a source sends before its snapshot, and what a capture of that keeps: `$<bytes>` or `$EOF:<mark of 40 bytes>`. */
const SYNC_FRAME = /^\$(?:\d{1,19}|EOF:[^\r\n]{40})\r\n/;
const RDB_MAGIC = /^(?:(REDIS)(\d{4})|VALKEY(\d{3}))/;

/** @param bytes the first HEAD_BYTES of the file, or all of it, unpacked. */
export function readHead(bytes: Buffer): FileHead {
  if (bytes.length === 0) return { kind: 'empty' };
  const text = bytes.toString('latin1', 0, HEAD_BYTES);
  const frameBytes = SYNC_FRAME.exec(text)?.[0].length ?? 0;
  const magic = RDB_MAGIC.exec(text.slice(frameBytes, frameBytes + MAGIC_BYTES));
  if (magic !== null) {
    const dialect = magic[1] === undefined ? 'valkey' : 'redis';
    return { kind: 'rdb', version: Number(magic[2] ?? magic[3]), dialect, frameBytes };
  }
  if (text.startsWith('VCS\u0001')) return { kind: 'vcs' };
  if (/^\*(?:\d|$)|^#/.test(text)) return { kind: 'commands' };
  if (/^\s*\{/.test(text)) return { kind: 'json' };
  if (/^\s*file\s/i.test(text)) return { kind: 'manifest' };
  return { kind: 'unknown', begins: text.slice(0, 16).replace(/[^\x20-\x7e]/g, '?') };
}

/**
 * Why a file with that head is not what its address says, in one sentence; null when it is. For a head that says nothing
 * the reader of the format says it better, with a place.
 */
export function headProblem(head: FileHead, format: FileFormat, path: string): FerryError | null {
  if (head.kind === 'vcs') {
    return configError(
      `${path} is compressed by Valkey (a VCS file): unpacking it is not built; let the server write one with rdbcompression-codec none, or sync from the server itself.`,
    );
  }
  const found = format === 'jsonl' ? notJsonLines(head) : format === 'rdb' ? notAnRdb(head) : notAnAof(head);
  return found === null ? null : configError(`${path} is no ${NAMES[format]}: ${found}.`);
}

const NAMES: Readonly<Record<FileFormat, string>> = { rdb: 'RDB file', aof: 'AOF', jsonl: 'JSON lines file' };

function notAnRdb(head: FileHead): string | null {
  switch (head.kind) {
    case 'rdb':
      return null;
    case 'commands':
      return 'it holds commands, as an AOF does; name it as aof:PATH';
    case 'manifest':
      return 'it is the manifest of an AOF; name it as aof:PATH';
    case 'json':
      return 'it begins like JSON lines; name it as jsonl:FILE';
    case 'empty':
      return 'it is empty';
    case 'unknown':
      return `it begins with "${head.begins}" instead of REDIS or VALKEY`;
    case 'vcs':
      return null;
  }
}

function notAnAof(head: FileHead): string | null {
  if (head.kind === 'json') return 'it begins like JSON lines; name it as jsonl:FILE';
  if (head.kind === 'rdb' && head.frameBytes > 0) return 'it is a captured snapshot; name it as rdb:FILE';
  if (head.kind !== 'unknown') return null;
  return `it begins with "${head.begins}" instead of a command, an annotation or an RDB`;
}

function notJsonLines(head: FileHead): string | null {
  if (head.kind === 'rdb') return 'it is an RDB file; name it as rdb:FILE';
  if (head.kind === 'commands') return 'it holds commands, as an AOF does; name it as aof:PATH';
  return null;
}
