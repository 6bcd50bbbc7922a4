// The slot of a key, for routing the comparer's own reads. Written apart from the engine's on purpose: if both used one
// function, a wrong slot would be looked up where it was wrongly written. Source: the cluster specification, appendix A.

const SLOTS = 16_384;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** CRC16-CCITT (XMODEM). */
const POLYNOMIAL = 0x1021;

const TABLE = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ POLYNOMIAL) & 0xffff : (crc << 1) & 0xffff;
  TABLE[byte] = crc;
}

/** Only what stands between the first `{` and the next `}` counts, if that is not empty. */
export function keySlot(key: Buffer): number {
  let from = 0;
  let to = key.length;
  const open = key.indexOf(OPEN_BRACE);
  if (open >= 0) {
    const close = key.indexOf(CLOSE_BRACE, open + 1);
    if (close > open + 1) {
      from = open + 1;
      to = close;
    }
  }
  let crc = 0;
  for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ (TABLE[(crc >> 8) ^ (key[i] ?? 0)] ?? 0);
  return crc % SLOTS;
}
