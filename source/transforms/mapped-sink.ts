// Keys of a snapshot on their way to a target whose databases have other numbers.
import type { HashTemplates } from '../rdb/hash-templates.ts';
import { MutableEntry } from '../readers/mutable-entry.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotHeader, SnapshotSink } from '../readers/snapshot-sink.ts';
import type { DatabaseMap } from './database-map.ts';

export class MappedSink implements SnapshotSink {
  readonly #inner: SnapshotSink;
  readonly #map: DatabaseMap;
  readonly #entry = new MutableEntry();

  constructor(inner: SnapshotSink, map: DatabaseMap) {
    this.#inner = inner;
    this.#map = map;
  }

  get saturated(): boolean {
    return this.#inner.saturated;
  }

  header(header: SnapshotHeader, templates: HashTemplates): void {
    this.#inner.header(header, templates);
  }

  entry(entry: SnapshotEntry): void {
    this.#inner.entry(this.#mapped(entry));
  }

  beginBig(entry: SnapshotEntry): BigValueTaker {
    return this.#inner.beginBig(this.#mapped(entry));
  }

  announcedKeys(count: number): void {
    this.#inner.announcedKeys(count);
  }

  aux(name: string, value: Buffer): void {
    this.#inner.aux(name, value);
  }

  functionLibrary(code: Buffer): void {
    this.#inner.functionLibrary(code);
  }

  leftOut(what: string): void {
    this.#inner.leftOut(what);
  }

  #mapped(entry: SnapshotEntry): SnapshotEntry {
    return Object.assign(this.#entry, entry, { database: this.#map.of(entry.database) });
  }
}
