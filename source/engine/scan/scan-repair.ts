// Closes a time in which nothing told of changes on a scanned source: another scan finds what changed, and a sweep of the target
// what went. One of them at a time.

import type { ScanReader } from '../../readers/scan/scan-reader.ts';
import type { DatabaseMap } from '../../transforms/database-map.ts';
import { messageOf } from '../errors.ts';
import type { ShardJob } from '../run/shard-job.ts';
import type { ScanChanges } from './scan-changes.ts';
import type { ScanPlace } from './scan-place.ts';
import { sweep } from './scan-sweep.ts';

export interface RepairHost {
  readonly destination: ShardJob['destination'];
  readonly reader: ScanReader;
  /** null: one scan, and what changes meanwhile is not followed. */
  readonly changes: ScanChanges | null;
  readonly place: ScanPlace;
  readonly databases: DatabaseMap;
  /** The first scan has taken effect. */
  readonly inStream: boolean;
  /** Whether a key is on the target by this run. @param database of the source. */
  isOwn(database: number, key: Buffer): boolean;
  /** Keys wait to be fetched. */
  pull(): void;
  notice(level: 'info', message: string): void;
  once(level: 'warn', message: string): void;
}

const SWEEP_RETRY_MS = 2000;

export class ScanRepair {
  readonly #host: RepairHost;
  #state: 'idle' | 'scanning' | 'sweeping' = 'idle';
  #sweepWanted: boolean;
  #closed = false;

  /** @param sweeps the target may have keys of an earlier process that the source has no longer. */
  constructor(sweeps: boolean, host: RepairHost) {
    this.#sweepWanted = sweeps;
    this.#host = host;
  }

  /** Another scan is under way, or a sweep. */
  get busy(): boolean {
    return this.#state !== 'idle';
  }

  /** Something is to be made good, and that has not begun. */
  get wanted(): boolean {
    return this.#sweepWanted || (this.#host.changes?.gap ?? false);
  }

  /** Begins what is wanted, once changes are told again. */
  run(): void {
    const { changes, inStream, reader } = this.#host;
    if (changes === null || !changes.following || !inStream || this.busy || this.#closed) return;
    if (changes.gap) {
      changes.gap = false;
      this.#state = 'scanning';
      this.#host.notice('info', 'Scanning once more: nothing told of the changes for a while.');
      void reader.beginScan(true);
    } else this.sweepIfWanted();
  }

  /** What is found is asked of the source, so that nobody needs to have told of it. */
  sweepIfWanted(): void {
    if (this.#sweepWanted) void this.#sweep();
  }

  /** Keys went from the source without a word about each. */
  vanished(): void {
    this.#sweepWanted = true;
    this.run();
  }

  /** The other scan has given all its keys. */
  scanEnded(): void {
    if (this.#state === 'scanning') void this.#sweep();
  }

  close(): void {
    this.#closed = true;
  }

  async #sweep(): Promise<void> {
    const { destination, place, changes, databases, reader } = this.#host;
    if (destination.kind === 'file' || this.#closed) return;
    this.#state = 'sweeping';
    this.#sweepWanted = false;
    try {
      const missing = await sweep({
        destination,
        source: { ...place.link, address: await place.locate(), clientName: `${place.name}:sweep` },
        name: place.name,
        slots: changes?.ownSlots ?? null,
        databasesOf: (database) => databases.sourcesOf(database),
        isOwn: (database, key) => this.#host.isOwn(database, key),
        stopped: () => this.#closed,
        missing: (database, key) => (changes ?? reader).add(database, key, 0, key.length),
      });
      this.#state = 'idle';
      this.#host.notice('info', `The target was looked through: ${missing} keys of it are no longer on the source.`);
    } catch (error) {
      if (!this.#closed) this.#sweepLater(error);
      return;
    }
    this.run();
    reader.run();
    this.#host.pull();
  }

  #sweepLater(error: unknown): void {
    this.#host.once('warn', `The target could not be looked through (${messageOf(error)}). Trying again.`);
    this.#sweepWanted = true;
    setTimeout(() => {
      this.#state = 'idle';
      if (this.#host.changes === null) void this.#sweep();
      else this.run();
    }, SWEEP_RETRY_MS).unref();
  }
}
