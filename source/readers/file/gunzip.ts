// Unpacks gzip as it is read. Pulled, not pushed: compressed bytes go in only when everything unpacked was taken, so that
// nothing is lost before the place where a file is cut, and a small file that unpacks to a very large one takes no memory.
// Before damaged bytes up to one piece is lost: zlib of Node keeps what it made in the call that failed.
import type { TransformOptions } from 'node:stream';
import { createGunzip, type Gunzip, type ZlibOptions } from 'node:zlib';
import { FerryError, messageOf } from '../../engine/errors.ts';
import type { RawBytes } from './open-input.ts';

const PACKED_BYTES = 64 * 1024;
/** Of one piece that zlib gives. */
const UNPACKED_BYTES = 256 * 1024;

export function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

export class GunzipBytes implements RawBytes {
  readonly #raw: RawBytes;
  readonly #name: string;
  readonly #gunzip: Gunzip;
  readonly #packed = Buffer.allocUnsafeSlow(PACKED_BYTES);
  /** Compressed bytes in #packed that were read already. */
  #waitingBytes: number;
  #pieces: Buffer[] = [];
  #writing = false;
  #ended = false;
  #failure: Error | null = null;
  #unpackedBytes = 0;
  #wake: () => void = () => {};

  /** @param first what was read of `raw` to see that it is gzip. */
  constructor(raw: RawBytes, first: Buffer, name: string) {
    this.#raw = raw;
    this.#name = name;
    this.#waitingBytes = first.copy(this.#packed);
    // A mark of one byte: zlib does not go on, and so does not fail, while a piece is waiting.
    const options: ZlibOptions & TransformOptions = { chunkSize: UNPACKED_BYTES, readableHighWaterMark: 1 };
    this.#gunzip = createGunzip(options);
    this.#gunzip.on('data', (piece: Buffer) => {
      this.#pieces.push(piece);
      this.#gunzip.pause();
      this.#wake();
    });
    this.#gunzip.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    this.#gunzip.on('error', (error) => {
      this.#failure = error;
      this.#wake();
    });
    this.#gunzip.pause();
  }

  get rawBytes(): number {
    return this.#raw.rawBytes;
  }

  async read(into: Buffer): Promise<number> {
    for (;;) {
      const piece = this.#pieces[0];
      if (piece !== undefined) {
        const taken = piece.copy(into);
        if (taken === piece.length) this.#pieces.shift();
        else this.#pieces[0] = piece.subarray(taken);
        this.#unpackedBytes += taken;
        return taken;
      }
      if (this.#failure !== null) throw this.#damaged(this.#failure);
      if (this.#ended) return 0;
      if (!this.#writing) await this.#writeMore();
      else await this.#event();
    }
  }

  async close(): Promise<void> {
    this.#gunzip.destroy();
    this.#ended = true;
    this.#wake();
    await this.#raw.close();
  }

  async #writeMore(): Promise<void> {
    const count = this.#waitingBytes > 0 ? this.#waitingBytes : await this.#raw.read(this.#packed);
    this.#waitingBytes = 0;
    this.#writing = true;
    if (count === 0) {
      this.#gunzip.end();
      return;
    }
    // #packed is zlib's until it calls back.
    this.#gunzip.write(this.#packed.subarray(0, count), () => {
      this.#writing = false;
      this.#wake();
    });
  }

  #event(): Promise<void> {
    const event = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#gunzip.resume();
    return event;
  }

  #damaged(cause: Error): FerryError {
    const cut = 'code' in cause && cause.code === 'Z_BUF_ERROR';
    const what = cut ? 'it ends in the middle' : `it is damaged (${messageOf(cause)})`;
    return new FerryError(
      `${this.#name} cannot be unpacked beyond byte ${this.#unpackedBytes}: ${what}, at about byte ${this.rawBytes} of the gzip file.`,
      { code: 'file', cause },
    );
  }
}
