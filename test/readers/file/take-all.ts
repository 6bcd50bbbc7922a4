// Takes everything a feed gives, file by file.
import type { FileFormat } from '../../../source/config/address.ts';
import type { FerryError } from '../../../source/engine/errors.ts';
import { FileFeed } from '../../../source/readers/file/file-feed.ts';

export interface Taken {
  /** The bytes of each file that was begun. */
  readonly files: readonly Buffer[];
  readonly error: FerryError | null;
  /** consumedBytes after each look. */
  readonly consumed: readonly number[];
  /** The most that was ready at once. */
  readonly mostReady: number;
}

export interface TakeOptions {
  readonly format?: FileFormat;
  /** Of one look. */
  readonly lookBytes?: number;
}

export async function takeAll(files: readonly string[], options: TakeOptions = {}): Promise<Taken> {
  const parts: Buffer[][] = [[]];
  const consumed: number[] = [];
  let mostReady = 0;
  const into = Buffer.alloc(options.lookBytes ?? 100_000);
  const error = await new Promise<FerryError | null>((resolve) => {
    const look = (): void => {
      for (;;) {
        mostReady = Math.max(mostReady, feed.size);
        const count = feed.read(into, 0, into.length);
        parts.at(-1)?.push(Buffer.from(into.subarray(0, count)));
        consumed.push(feed.consumedBytes);
        if (count === into.length) continue;
        if (feed.ended) resolve(null);
        else if (feed.fileDone && feed.nextFile()) parts.push([]);
        else return;
        if (feed.ended) return;
      }
    };
    const feed = new FileFeed({
      files,
      format: options.format ?? 'aof',
      totalBytes: null,
      onReadable: look,
      onError: resolve,
    });
    feed.start();
  });
  return { files: parts.map((pieces) => Buffer.concat(pieces)), error, consumed, mostReady };
}
