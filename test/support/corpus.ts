// The corpus of real RDB, AOF and DUMP files beside the project, when it is there. The project stands without it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = process.env['REDFERRY_CORPUS'] ?? fileURLToPath(new URL('../../../shared/corpus/', import.meta.url));

/** The corpus's folder, or null when it is absent. */
export const corpusFolder: string | null = existsSync(`${folder}/INDEX.tsv`) ? folder : null;

/** One line of a walk table: where a key's value stands in its file. */
export interface WalkedValue {
  readonly database: number;
  readonly keyHex: string;
  readonly type: number;
  readonly expiresAtMs: number | null;
  readonly offset: number;
  readonly length: number;
  readonly sha1: string;
}

export interface WalkedFile {
  /** `librdb/module.rdb` */
  readonly name: string;
  readonly path: string;
  readonly values: readonly WalkedValue[];
  /** The last line of the table: crc, end, trailing bytes, error. */
  readonly end: string;
}

/** All files that have a walk table. */
export function walkedFiles(): readonly WalkedFile[] {
  if (corpusFolder === null) return [];
  return readdirSync(`${corpusFolder}/walk`)
    .filter((file) => file.endsWith('.tsv'))
    .map((file) => {
      const name = file.replace(/\.tsv$/, '').replace('__', '/');
      const lines = readFileSync(`${corpusFolder}/walk/${file}`, 'utf8').trimEnd().split('\n').slice(1);
      return {
        name,
        path: `${corpusFolder}/rdb/${name}`,
        values: lines.filter((line) => !line.startsWith('#')).map(walkedValue),
        end: lines.at(-1) ?? '',
      };
    });
}

function walkedValue(line: string): WalkedValue {
  const [database, keyHex, type, expires, offset, length, sha1] = line.split('\t');
  return {
    database: Number(database),
    keyHex: keyHex ?? '',
    type: Number(type),
    expiresAtMs: expires === '' ? null : Number(expires),
    offset: Number(offset),
    length: Number(length),
    sha1: sha1 ?? '',
  };
}
