// Makes of a value whose encoding the target cannot load one that it can: collections are decoded and written plainly,
// streams keep their nodes and lose what the older layout has no place for. What gets lost is told, never silent.
import type { ByteView } from './byte-view.ts';
import { canDecode, decodeWhole } from './decode.ts';
import { BorderScan } from './encode-border.ts';
import type { EncodingGoal, Loss } from './encode-goal.ts';
import { ValueEncoder } from './encode-value.ts';
import type { Dialect } from './format.ts';
import type { HashTemplates } from './hash-templates.ts';
import { lowestVersion } from './payload-version.ts';
import { RdbOutput } from './rdb-output.ts';
import { isStreamType, newestStreamType, StreamRewriter } from './stream-rewrite.ts';

export type { EncodingGoal, Loss } from './encode-goal.ts';

/** The value without its type in the first `length` bytes; holds until the next value is rewritten. */
export interface RewrittenValue {
  readonly type: number;
  /** What to stamp behind a DUMP payload of it. */
  readonly version: number;
  readonly bytes: Buffer;
  readonly length: number;
  /** Nothing is left of it (all its fields have expired): RESTORE refuses such a value, and the key is to be left out. */
  readonly empty: boolean;
}

export class Reencoder {
  readonly #goal: EncodingGoal;
  readonly #encoder: ValueEncoder;
  readonly #out = new RdbOutput();
  readonly #streams: StreamRewriter;
  readonly #borders = new BorderScan();

  /**
   * @param onLoss told of what of a value can not be kept, once for each kind of loss and value.
   * @param fieldExpiry what to write for the expiry of a hash's field; without it what the value says.
   */
  constructor(goal: EncodingGoal, onLoss: (loss: Loss) => void, fieldExpiry?: (expiresAtMs: number) => number) {
    this.#goal = goal;
    this.#encoder = new ValueEncoder({ goal, onLoss, ...(fieldExpiry === undefined ? {} : { fieldExpiry }) });
    this.#streams = new StreamRewriter(this.#out, onLoss);
  }

  /**
   * Whether the value has a listpack that servers of the same version of the format read differently (encode-border.ts):
   * it must not be restored as it is, even where its way is `restore`, but rewritten.
   */
  isTreacherous(type: number, dialect: Dialect, view: ByteView): boolean {
    return this.#borders.found(type, dialect, view);
  }

  /**
   * Takes the value that begins at the view's start off the view.
   * @returns null when there is no encoding for it that every server of the goal's versions reads, as there is none for
   * a treacherous stream: only commands can write it. The view is as it was then.
   * @throws RdbError when the bytes are no whole value of that type.
   */
  rewrite(type: number, dialect: Dialect, view: ByteView, templates?: HashTemplates): RewrittenValue | null {
    if (isStreamType(type, dialect)) return this.#stream(type, dialect, view);
    if (!canDecode(type, dialect)) return null;
    const encoder = this.#encoder;
    decodeWhole(type, dialect, view, encoder, templates);
    return encoder;
  }

  #stream(type: number, dialect: Dialect, view: ByteView): RewrittenValue | null {
    const newest = newestStreamType(this.#goal.redis);
    if (newest === 0 || this.isTreacherous(type, dialect, view)) return null;
    this.#out.reset();
    const target = Math.min(type, newest);
    this.#streams.rewrite(type, target, view);
    return {
      type: target,
      version: lowestVersion(target, dialect),
      bytes: this.#out.bytes,
      length: this.#out.length,
      empty: false,
    };
  }
}
