// The slot of a key, from its bytes, and a short tag for every slot. Rule and polynomial: the cluster specification
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/), CRC16 XMODEM modulo 16384.

export const SLOTS = 16_384;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const POLYNOMIAL = 0x1021;

const CRC = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? POLYNOMIAL : 0)) & 0xffff;
  CRC[byte] = crc;
}

function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let i = start; i < end; i++) crc = ((crc & 0xff) << 8) ^ (CRC[(crc >> 8) ^ (bytes[i] ?? 0)] ?? 0);
  return crc;
}

/**
 * The slot of the key at buffer[start, start + length). Only what stands between the first { and the first } behind it
 * counts, unless that is nothing.
 */
export function slotOf(buffer: Uint8Array, start: number, length: number): number {
  const end = start + length;
  let crc = 0;
  for (let i = start; i < end; i++) {
    const byte = buffer[i] ?? 0;
    if (byte === OPEN_BRACE) return taggedSlot(buffer, start, i + 1, end);
    crc = ((crc & 0xff) << 8) ^ (CRC[(crc >> 8) ^ byte] ?? 0);
  }
  return crc & (SLOTS - 1);
}

function taggedSlot(buffer: Uint8Array, start: number, tagStart: number, end: number): number {
  let close = tagStart;
  while (close < end && buffer[close] !== CLOSE_BRACE) close++;
  const tagged = close < end && close > tagStart;
  return (tagged ? crc16(buffer, tagStart, close) : crc16(buffer, start, end)) & (SLOTS - 1);
}

/** For each slot the smallest number that, written to base 36, hashes to it. */
let tagNumbers: Uint32Array | null = null;

/**
 * A tag of at most four letters and digits that hashes to the slot: `{tag}` in a name puts it there. Names on targets are
 * made of these and found again by later versions: the tags must stay the same for ever.
 */
export function slotTag(slot: number): string {
  if (!Number.isInteger(slot) || slot < 0 || slot >= SLOTS) throw new RangeError(`There is no slot ${slot}`);
  tagNumbers ??= findTags();
  return (tagNumbers[slot] ?? 0).toString(36);
}

/** Tries the numbers in turn until every slot has one. Numbers and not strings are kept: 64 KiB for all of it. */
function findTags(): Uint32Array {
  const numbers = new Uint32Array(SLOTS);
  const found = new Uint8Array(SLOTS);
  const digits = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz', 'latin1');
  const text = new Uint8Array(6);
  let missing = SLOTS;
  for (let number = 0; missing > 0; number++) {
    let at = text.length;
    let rest = number;
    do {
      text[--at] = digits[rest % 36] ?? 0;
      rest = Math.floor(rest / 36);
    } while (rest > 0);
    const slot = crc16(text, at, text.length) & (SLOTS - 1);
    if (found[slot] === 1) continue;
    found[slot] = 1;
    numbers[slot] = number;
    missing--;
  }
  return numbers;
}
