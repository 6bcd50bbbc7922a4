// Every file of the corpus that has a walk table: each value must stand where the independent walk found it.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { corpusFolder, walkedFiles } from '../support/corpus.ts';
import { parseSnapshot } from '../support/parse-snapshot.ts';

if (corpusFolder === null) console.log('the corpus of RDB files is absent: its tests are left out');

describe.runIf(corpusFolder !== null)('the walk over the corpus', () => {
  for (const file of walkedFiles().filter(({ path, end }) => existsSync(path) && end.includes('error=None'))) {
    it(`finds every value of ${file.name}`, () => {
      const bytes = readFileSync(file.path);
      const parsed = parseSnapshot(bytes, 64 * 1024);
      expect(parsed.ended).toBe(true);
      expect(
        parsed.values.map(({ database, key, type, expiresAtMs, value }) => ({
          database,
          keyHex: key.toString('hex'),
          type,
          expiresAtMs: expiresAtMs < 0 ? null : expiresAtMs,
          length: value.length,
          sha1: createHash('sha1')
            .update(Buffer.from([type]))
            .update(value)
            .digest('hex'),
        })),
      ).toEqual(file.values.map(({ offset: _, ...value }) => value));
    });
  }
});

describe.runIf(corpusFolder !== null)('chunk borders', () => {
  const small = walkedFiles().filter(
    ({ path, end }) => existsSync(path) && end.includes('error=None') && readFileSync(path).length < 1500,
  );
  it('do not matter, wherever the one is', () => {
    for (const file of small) {
      const bytes = readFileSync(file.path);
      const whole = parseSnapshot(bytes, bytes.length);
      for (let border = 1; border < bytes.length; border++) {
        const parsed = parseSnapshot(bytes, [border]);
        // toEqual, with its good message, takes ten times as long.
        if (!isDeepStrictEqual(parsed, whole)) expect(parsed, `${file.name} at ${border}`).toEqual(whole);
      }
    }
  });

  it('do not matter, byte by byte', () => {
    for (const file of small) {
      const bytes = readFileSync(file.path);
      expect(parseSnapshot(bytes, 1), file.name).toEqual(parseSnapshot(bytes, bytes.length));
    }
  });
});
