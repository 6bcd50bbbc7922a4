// The one entry that a parser fills in for every key of a snapshot.
import type { SnapshotEntry } from './snapshot-sink.ts';

export const NO_PARTS: readonly Buffer[] = [];

export class MutableEntry implements SnapshotEntry {
  database = 0;
  keyBytes: Buffer = Buffer.alloc(0);
  keyStart = 0;
  keyLength = 0;
  type = 0;
  parts: readonly Buffer[] = NO_PARTS;
  bytes: Buffer = Buffer.alloc(0);
  valueStart = 0;
  valueEnd = 0;
  expiresAtMs = -1;
  idleSeconds = -1;
  frequency = -1;

  /** Expiry, idle time, frequency and parts belong to one key only. */
  forgetAttributes(): void {
    this.parts = NO_PARTS;
    this.expiresAtMs = -1;
    this.idleSeconds = -1;
    this.frequency = -1;
  }
}
