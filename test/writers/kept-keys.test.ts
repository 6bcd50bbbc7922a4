// The set of kept keys against a plain set: any number, any bytes, growth, letting go, and what it costs.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { KeptKeys } from '../../source/writers/kept-keys.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'redferry-kept-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function made(directory = folder()): KeptKeys {
  const keys = new KeptKeys(directory, 'test');
  onTestFinished(() => keys.close());
  return keys;
}

const keyOf = (i: number): Buffer => Buffer.from(`user:${i}`);
const has = (kept: KeptKeys, database: number, key: Buffer): boolean => kept.has(database, key, 0, key.length);

it('has what was put in and nothing else, through several growths', () => {
  const directory = folder();
  const kept = made(directory);
  const count = 60_000;
  for (let i = 0; i < count; i++) kept.add(i % 3, keyOf(i));
  for (let i = 0; i < 1000; i++) kept.add(i % 3, keyOf(i));
  expect(kept.size).toBe(count);
  for (let i = 0; i < count; i++) if (!has(kept, i % 3, keyOf(i))) throw new Error(`lost ${i}`);
  let wrong = 0;
  for (let i = 0; i < count; i++) {
    if (has(kept, (i + 1) % 3, keyOf(i))) wrong++;
    if (has(kept, i % 3, keyOf(count + i))) wrong++;
  }
  expect(wrong).toBe(0);
  // Nothing of it lies about, even after a kill.
  expect(readdirSync(directory)).toEqual([]);
});

it('lets go of single keys, and of none beside them', () => {
  const kept = made();
  const count = 20_000;
  for (let i = 0; i < count; i++) kept.add(0, keyOf(i));
  for (let i = 0; i < count; i += 3) expect(kept.delete(0, keyOf(i), 0, keyOf(i).length)).toBe(true);
  expect(kept.delete(0, keyOf(0), 0, keyOf(0).length)).toBe(false);
  const wrong = Array.from({ length: count }, (_, i) => i).filter((i) => has(kept, 0, keyOf(i)) !== (i % 3 !== 0));
  expect(wrong).toEqual([]);
  expect(kept.size).toBe(count - Math.ceil(count / 3));
});

it('takes keys out of the middle of other bytes, empty ones and binary ones', () => {
  const kept = made();
  kept.add(0, Buffer.alloc(0));
  kept.add(0, Buffer.from([0, 255, 13, 10]));
  const around = Buffer.concat([Buffer.from('xx'), Buffer.from([0, 255, 13, 10]), Buffer.from('yy')]);
  expect(kept.has(0, around, 2, 4)).toBe(true);
  expect(kept.has(0, around, 2, 5)).toBe(false);
  expect(kept.has(0, around, 3, 0)).toBe(true);
});

it('says where it can not be written', () => {
  const kept = new KeptKeys(join(folder(), 'is-not-there'), 'test');
  expect(() => kept.add(0, keyOf(1))).toThrow(/list of keys that are kept can not stand in .*is-not-there.*ENOENT/);
});

it('outlasts its process in a file of its own, and is forgotten when it is told to', () => {
  const path = join(folder(), 'shard-0.kept');
  const first = new KeptKeys('/nowhere', 'test', path);
  const count = 20_000;
  for (let i = 0; i < count; i++) first.add(0, keyOf(i));
  // Nobody closes what was killed.
  const second = new KeptKeys('/nowhere', 'test', path);
  onTestFinished(() => second.close());
  second.restore();
  expect(second.size).toBe(count);
  for (let i = 0; i < count; i++) if (!has(second, 0, keyOf(i))) throw new Error(`lost ${i}`);
  expect(has(second, 0, keyOf(count))).toBe(false);
  second.add(0, keyOf(count));
  expect(has(second, 0, keyOf(count))).toBe(true);
  second.forget();
  expect([second.size, has(second, 0, keyOf(1))]).toEqual([0, false]);
  const third = new KeptKeys('/nowhere', 'test', path);
  third.restore();
  expect(third.size).toBe(0);
});
