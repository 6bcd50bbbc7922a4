// The payload of a DUMP: type, value, version, CRC64.
import { Crc64 } from './crc64.ts';
import { FOOTER_BYTES } from './format.ts';

const crc = new Crc64();

/** @param body the value without its type. @returns what RESTORE takes, in a buffer of its own. */
export function dumpPayload(type: number, body: Buffer, version: number): Buffer {
  const out = Buffer.allocUnsafe(1 + body.length + FOOTER_BYTES);
  out[0] = type;
  body.copy(out, 1);
  out.writeUInt16LE(version, 1 + body.length);
  crc.reset();
  crc.update(out, 0, body.length + 3);
  crc.writeTo(out, body.length + 3);
  return out;
}
