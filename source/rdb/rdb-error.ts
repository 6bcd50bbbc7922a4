// What is wrong with an RDB, and where.
import { FerryError } from '../engine/errors.ts';

/** A file or stream that cannot be read further; `offset` counts bytes from its first. */
export class RdbError extends FerryError {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} at byte ${offset} of the snapshot.`, { code: 'rdb' });
    this.offset = offset;
  }
}
