// A stretch of bytes that is read from its front: what every reader of RDB primitives works on. A ByteWindow is one.

export interface ByteView {
  readonly bytes: Buffer;
  /** What comes next; whoever takes bytes moves it. */
  start: number;
  readonly end: number;
  /** Place of the byte at `start` in the whole snapshot or payload, for error messages. */
  readonly position: number;
}

/** A view over bytes that are all there: a value in memory, a DUMP payload. */
export class WholeView implements ByteView {
  readonly bytes: Buffer;
  start: number;
  readonly end: number;
  readonly #origin: number;

  /** @param position place of the first byte in whatever it was cut from. */
  constructor(bytes: Buffer, start = 0, end = bytes.length, position = 0) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.#origin = position - start;
  }

  get position(): number {
    return this.#origin + this.start;
  }
}
