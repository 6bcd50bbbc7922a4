// Passes on those keys of a snapshot that are to be copied: none of redferry's own, and of a cluster's node those whose slots
// the pipeline carries. A node whose slots are on their way has keys of
// slots in its snapshot that another pipeline still carries: they come later, when that one has let go of them.
import { isOwnName } from '../protocol/own-names.ts';
import { slotOf } from '../protocol/slot.ts';
import type { HashTemplates } from '../rdb/hash-templates.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotHeader, SnapshotSink } from '../readers/snapshot-sink.ts';
import type { OwnedSlots } from './owned-slots.ts';

export class OwnedKeysSink implements SnapshotSink {
  readonly #inner: SnapshotSink;
  readonly #slots: OwnedSlots | null;
  readonly #passedOver: () => void;
  readonly #own: () => void;

  /**
   * @param slots null where all are carried.
   * @param passedOver a key was left out.
   * @param own it was one of redferry's.
   */
  constructor(inner: SnapshotSink, slots: OwnedSlots | null, passedOver: () => void, own: () => void) {
    this.#inner = inner;
    this.#slots = slots;
    this.#passedOver = passedOver;
    this.#own = own;
  }

  get saturated(): boolean {
    return this.#inner.saturated;
  }

  header(header: SnapshotHeader, templates: HashTemplates): void {
    this.#inner.header(header, templates);
  }

  entry(entry: SnapshotEntry): void {
    if (this.#owns(entry)) this.#inner.entry(entry);
    else this.#passedOver();
  }

  beginBig(entry: SnapshotEntry): BigValueTaker {
    if (this.#owns(entry)) return this.#inner.beginBig(entry);
    return { kind: 'skip', skipped: () => this.#passedOver() };
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

  #owns({ keyBytes, keyStart, keyLength }: SnapshotEntry): boolean {
    if (isOwnName(keyBytes, keyStart, keyLength)) {
      this.#own();
      return false;
    }
    return this.#slots === null || this.#slots.owns(slotOf(keyBytes, keyStart, keyLength));
  }
}
