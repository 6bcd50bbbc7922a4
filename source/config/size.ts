// Sizes as people write them: a number of bytes, or `64mb`. kb, mb, gb and tb are powers of 1024, as in redis.conf.
import { z } from 'zod';

const SIZE_PATTERN = /^\s*(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|tb)?\s*$/i;
const UNIT_BYTES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };

/** Bytes of `64mb`, `1.5gb`, `4096`; null when it is no size. */
export function parseSize(text: string): number | null {
  const match = SIZE_PATTERN.exec(text);
  if (match === null) return null;
  const bytes = Math.round(Number(match[1]) * (UNIT_BYTES[(match[2] ?? 'b').toLowerCase()] ?? 1));
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** A setting that holds a size; what comes out is bytes, `least` or more. */
export function sizeSetting(initial: string, least: string, description: string) {
  const { written, toBytes } = sizeAs(least);
  return written
    .default(initial)
    .transform(toBytes)
    .meta({ description: `${description} A number of bytes, or a size like "${initial}".` });
}

/** A setting that holds a size or null, which is what it is when nothing is said. */
export function optionalSize(least: string, description: string) {
  const { written, toBytes } = sizeAs(least);
  return z
    .union([z.null(), written])
    .default(null)
    .transform((size, context) => (size === null ? null : toBytes(size, context)))
    .meta({ description });
}

/** How a size is written, and the way from there to bytes. */
function sizeAs(least: string) {
  const leastBytes = parseSize(least) ?? 0;
  const wrong = `must be a number of bytes or a size like "64mb" or "8gb", ${least} or more`;
  const written = z.union(
    [z.int({ error: wrong }).min(leastBytes, { error: wrong }), z.string().regex(SIZE_PATTERN, { error: wrong })],
    { error: wrong },
  );
  const toBytes = (size: number | string, context: z.RefinementCtx): number => {
    const bytes = typeof size === 'number' ? size : parseSize(size);
    if (bytes !== null && bytes >= leastBytes) return bytes;
    context.addIssue({ code: 'custom', message: wrong });
    return z.NEVER;
  };
  return { written, toBytes };
}
