// What stands on the wire in a batch of the stream, command by command: which place of the source each is from, so that a
// reply, found by its number, tells what has to go again. Typed arrays, used again: no object for a command.

/** What a line is when it is no command of the source. */
export const LINE = {
  /** SELECT, a marker, DISCARD: made by the writer, made again when it is needed. */
  own: 0xffff,
  multi: 0xfffe,
  exec: 0xfffd,
} as const;

const FIRST_LINES = 256;

export class LineRecord {
  count = 0;
  /** For a command of the source its slot (0 towards a standalone), else one of LINE. */
  slots = new Uint16Array(FIRST_LINES);
  /** For a command of the source the offset at which it ended, that of its EXEC inside a block. */
  offsets = new Float64Array(FIRST_LINES);

  /** Lines whose reply of 0 is worth a look (reply-audit.ts). */
  audited = new Uint8Array(FIRST_LINES);

  /** Of the source's commands among the last `count` lines a reply of 0 is worth a look. */
  auditLast(count: number): void {
    for (let line = Math.max(0, this.count - count); line < this.count; line++) this.audited[line] = 1;
  }

  add(slot: number, offset: number): void {
    if (this.count === this.slots.length) this.#grow();
    this.slots[this.count] = slot;
    this.offsets[this.count] = offset;
    this.count++;
  }

  #grow(): void {
    const { slots, offsets, audited } = this;
    this.audited = new Uint8Array(audited.length * 2);
    this.audited.set(audited);
    this.slots = new Uint16Array(slots.length * 2);
    this.slots.set(slots);
    this.offsets = new Float64Array(offsets.length * 2);
    this.offsets.set(offsets);
  }
}
