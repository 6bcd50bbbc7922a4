// A place on a snapshot's way to a target that passes everything on. What looks at keys there takes its place and overrides
// what it looks at.
import type { HashTemplates } from '../rdb/hash-templates.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotHeader, SnapshotSink } from './snapshot-sink.ts';

export class SinkRelay implements SnapshotSink {
  /** The next place on the way. */
  protected readonly inner: SnapshotSink;

  constructor(inner: SnapshotSink) {
    this.inner = inner;
  }

  get saturated(): boolean {
    return this.inner.saturated;
  }

  header(header: SnapshotHeader, templates: HashTemplates): void {
    this.inner.header(header, templates);
  }

  entry(entry: SnapshotEntry): void {
    this.inner.entry(entry);
  }

  beginBig(entry: SnapshotEntry): BigValueTaker {
    return this.inner.beginBig(entry);
  }

  announcedKeys(count: number): void {
    this.inner.announcedKeys(count);
  }

  aux(name: string, value: Buffer): void {
    this.inner.aux(name, value);
  }

  functionLibrary(code: Buffer): void {
    this.inner.functionLibrary(code);
  }

  leftOut(what: string): void {
    this.inner.leftOut(what);
  }
}
