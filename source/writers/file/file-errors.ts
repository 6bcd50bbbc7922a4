// What a person is told when a file can not be written.
import { FerryError, messageOf } from '../../engine/errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this disk is used up',
  EFBIG: 'the file is larger than this file system or its limit allows',
  EROFS: 'the file system is read-only',
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  EIO: 'the disk reports an error',
  ENOENT: 'there is no such folder',
  ENOTDIR: 'a part of its path is no folder',
  ENAMETOOLONG: 'the name is too long',
};

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function reasonOf(error: unknown): string {
  const code = codeOf(error);
  const reason = code === null ? undefined : REASONS[code];
  return reason === undefined ? messageOf(error) : `${reason} (${code})`;
}

/** The file could not be begun. */
export function blocked(path: string, error: unknown): FerryError {
  const message =
    codeOf(error) === 'EEXIST'
      ? `${path} exists already: another run writes it, or one that was ended has left it; then remove it or set target.overwrite.`
      : `${path} can not be written: ${reasonOf(error)}.`;
  return new FerryError(message, { code: 'file', cause: error });
}

/** The file could not be written on. */
export function unwritable(path: string, written: number, error: unknown): FerryError {
  return new FerryError(`${path} can not be written on after ${written} bytes: ${reasonOf(error)}.`, {
    code: 'file',
    cause: error,
  });
}
