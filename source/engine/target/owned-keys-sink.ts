// Passes on those keys of a snapshot that are to be copied: none of redferry's own, and of a cluster's node those whose slots
// the pipeline carries. A node whose slots are on their way has keys of slots in its snapshot that another pipeline still
// carries: they come later, when that one has let go of them.
import { isOwnName } from '../../protocol/own-names.ts';
import { slotOf } from '../../protocol/slot.ts';
import { SinkRelay } from '../../readers/sink-relay.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotSink } from '../../readers/snapshot-sink.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';

export class OwnedKeysSink extends SinkRelay {
  readonly #slots: OwnedSlots | null;
  readonly #passedOver: () => void;
  readonly #own: () => void;

  /**
   * @param slots null where all are carried.
   * @param passedOver a key was left out.
   * @param own it was one of redferry's.
   */
  constructor(inner: SnapshotSink, slots: OwnedSlots | null, passedOver: () => void, own: () => void) {
    super(inner);
    this.#slots = slots;
    this.#passedOver = passedOver;
    this.#own = own;
  }

  override entry(entry: SnapshotEntry): void {
    if (this.#owns(entry)) this.inner.entry(entry);
    else this.#passedOver();
  }

  override beginBig(entry: SnapshotEntry): BigValueTaker {
    if (this.#owns(entry)) return this.inner.beginBig(entry);
    return { kind: 'skip', skipped: () => this.#passedOver() };
  }

  #owns({ keyBytes, keyStart, keyLength }: SnapshotEntry): boolean {
    if (isOwnName(keyBytes, keyStart, keyLength)) {
      this.#own();
      return false;
    }
    return this.#slots === null || this.#slots.owns(slotOf(keyBytes, keyStart, keyLength));
  }
}
