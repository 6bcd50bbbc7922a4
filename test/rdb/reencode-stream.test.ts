// Streams rewritten in older layouts: the corpus has the same stream as every version wrote it, so that what is made of
// the newest must be the older one's bytes. Real servers load the rest in reencode-servers.test.ts.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import type { Loss } from '../../source/rdb/encode-goal.ts';
import { RdbError } from '../../source/rdb/rdb-error.ts';
import { RdbOutput } from '../../source/rdb/rdb-output.ts';
import { isStreamType, newestStreamType, StreamRewriter } from '../../source/rdb/stream-rewrite.ts';
import { corpusFolder, walkedFiles } from '../support/corpus.ts';

interface FoundStream {
  readonly file: string;
  readonly type: number;
  readonly bytes: Buffer;
}

function corpusStreams(): readonly FoundStream[] {
  return walkedFiles().flatMap(({ name, path, values }) =>
    values
      .filter(({ type }) => isStreamType(type, 'redis'))
      .map(({ type, offset, length }) => ({
        file: name,
        type,
        bytes: readFileSync(path).subarray(offset, offset + length),
      })),
  );
}

function rewrite(bytes: Buffer, from: number, to: number): { readonly bytes: Buffer; readonly losses: Loss[] } {
  const out = new RdbOutput();
  const losses: Loss[] = [];
  const view = new WholeView(bytes);
  new StreamRewriter(out, (loss) => losses.push(loss)).rewrite(from, to, view);
  expect(view.start).toBe(bytes.length);
  return { bytes: Buffer.from(out.bytes.subarray(0, out.length)), losses: losses.sort() };
}

if (corpusFolder === null) console.log('the corpus of RDB files is absent: its streams are left out');

describe('newestStreamType', () => {
  it('follows the versions of the format', () => {
    expect([8, 9, 10, 11, 12, 13, 14, 15].map(newestStreamType)).toEqual([0, 15, 19, 21, 21, 26, 27, 27]);
  });
});

describe.runIf(corpusFolder !== null)('the same stream, as written by every version', () => {
  const streams = corpusStreams();
  const written = new Map(
    streams.filter(({ file }) => /stream\d_same_content/.test(file)).map((stream) => [stream.type, stream.bytes]),
  );
  const of = (type: number): Buffer => written.get(type) ?? Buffer.alloc(0);

  it('is there in each version', () => expect([...written.keys()].sort()).toEqual([15, 19, 21, 26]));

  it.each([
    [26, 21, []],
    [26, 19, ['consumer-activity']],
    [26, 15, ['consumer-activity', 'entries-read']],
    [21, 19, ['consumer-activity']],
    [21, 15, ['consumer-activity', 'entries-read']],
    [19, 15, ['entries-read']],
  ])('of type %i becomes byte for byte that of type %i', (from, to, losses) => {
    const rewritten = rewrite(of(from), from, to);
    expect(rewritten.bytes.equals(of(to))).toBe(true);
    expect(rewritten.losses).toEqual(losses);
  });

  it('loses its released entries on the way from 8.8, and nothing else', () => {
    const newest = streams.find(({ type }) => type === 27)?.bytes ?? Buffer.alloc(0);
    const rewritten = rewrite(newest, 27, 26);
    expect(rewritten.losses).toEqual(['released-entries']);
    // Of three pending entries two were released, each sixteen bytes of ID, eight of time, one of a count; the list of
    // the released ones was two IDs behind a count of one byte. The count of five bytes was one of one.
    expect(rewritten.bytes.length).toBe(newest.length - 2 * 25 - (1 + 2 * 16) + 4);
    // What was made is a stream of type 26 to the last byte.
    const again = rewrite(rewritten.bytes, 26, 21);
    expect(again.losses).toEqual(['idempotency']);
    expect(rewrite(newest, 27, 21).bytes.equals(again.bytes)).toBe(true);
  });
});

describe.runIf(corpusFolder !== null)('any stream of the corpus', () => {
  const all = corpusStreams();

  it('in two steps is what it is in one', () => {
    expect(all.length).toBeGreaterThan(10);
    for (const { type, bytes, file } of all.filter(({ type }) => type >= 21)) {
      const [oneStep, firstStep] = [rewrite(bytes, type, 15), rewrite(bytes, type, 19)];
      expect(rewrite(firstStep.bytes, 19, 15).bytes.equals(oneStep.bytes), file).toBe(true);
    }
  });

  it('stays itself when it is old enough', () => {
    for (const { type, bytes } of all) expect(rewrite(bytes, type, type).bytes.equals(bytes)).toBe(true);
  });

  it('cut anywhere ends in an error with its place', () => {
    for (const { type, bytes, file } of all.filter((stream) => stream.type > 15 && stream.bytes.length < 2000)) {
      for (let end = 0; end < bytes.length; end++) {
        const view = new WholeView(bytes, 0, end, 1000);
        const cut = (): void => new StreamRewriter(new RdbOutput(), () => {}).rewrite(type, 15, view);
        expect(cut, `${file} at ${end}`).toThrow(RdbError);
        expect(cut).toThrow(new RegExp(`at byte ${1000 + end} of`));
      }
    }
  });

  it('with a broken byte ends in an error or in bytes no longer than it', () => {
    let errors = 0;
    for (const { type, bytes } of all.filter((stream) => stream.type > 15 && stream.bytes.length < 2000)) {
      for (let at = 0; at < bytes.length; at++) {
        const broken = Buffer.from(bytes);
        broken[at] = (broken[at] as number) ^ 0xff;
        const out = new RdbOutput();
        try {
          new StreamRewriter(out, () => {}).rewrite(type, 15, new WholeView(broken));
          expect(out.length).toBeLessThanOrEqual(bytes.length + 64);
        } catch (error) {
          expect(error).toBeInstanceOf(RdbError);
          errors++;
        }
      }
    }
    expect(errors).toBeGreaterThan(10);
  });
});
