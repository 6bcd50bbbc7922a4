// Gives the memory of a big value's part back at once: the garbage collector would not notice for long how much it is.

/** A part of this size stands in a buffer of its own, smaller ones may share theirs. */
const OWN_BUFFER_BYTES = 256 * 1024;

/** @param part what nobody else holds or will read. */
export function freePart(part: Buffer): void {
  if (part.buffer instanceof ArrayBuffer && part.buffer.byteLength >= OWN_BUFFER_BYTES) part.buffer.transfer(0);
}
