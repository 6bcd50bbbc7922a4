// Keys of a snapshot on their way to a target whose databases have other numbers.
import { MutableEntry } from '../readers/mutable-entry.ts';
import { SinkRelay } from '../readers/sink-relay.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotSink } from '../readers/snapshot-sink.ts';
import type { DatabaseMap } from './database-map.ts';

export class MappedSink extends SinkRelay {
  readonly #map: DatabaseMap;
  readonly #entry = new MutableEntry();

  constructor(inner: SnapshotSink, map: DatabaseMap) {
    super(inner);
    this.#map = map;
  }

  override entry(entry: SnapshotEntry): void {
    this.inner.entry(this.#mapped(entry));
  }

  override beginBig(entry: SnapshotEntry): BigValueTaker {
    return this.inner.beginBig(this.#mapped(entry));
  }

  #mapped(entry: SnapshotEntry): SnapshotEntry {
    return Object.assign(this.#entry, entry, { database: this.#map.of(entry.database) });
  }
}
