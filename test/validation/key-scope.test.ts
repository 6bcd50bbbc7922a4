// What a run renumbers, puts together or leaves out is no difference: databases that have another number on the target, and
// the databases, names and types that a scan is held to.
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { Command } from '../../source/validation/connection.ts';
import { type DatabaseNumbers, placesOf } from '../../source/validation/database-numbers.ts';
import { EVERY_KEY, type KeyScope } from '../../source/validation/key-scope.ts';
import type { CompareSide } from '../../source/validation/side.ts';
import type { ValidateOptions } from '../../source/validation/validate-options.ts';
import { Validation } from '../../source/validation/validation.ts';
import { useServers as serversOfThisFile } from '../support/servers.ts';
import { emptyStore, openStandalone, write } from './stores.ts';

const QUICKLY = { pausesMs: [20, 60, 120], quietMs: 50 };
const MAP: DatabaseNumbers = { 1: 0, 2: 5 };
const MODES = [null, { kind: 'share', share: 1 }] as const;
const FEW = 50;

const servers = serversOfThisFile();
let one: CompareSide;
let other: CompareSide;

beforeAll(async () => {
  [one, other] = await Promise.all([openStandalone(servers), openStandalone(servers)]);
});

beforeEach(async () => {
  for (const store of [one, other]) await emptyStore(store);
});

const strings = (prefix: string): Command[] =>
  Array.from({ length: FEW }, (_, index) => ['SET', `${prefix}:${index}`, `value ${index}`]);

async function compare(options: Partial<ValidateOptions>) {
  const { result, differences, bothSides } = await new Validation({
    source: one,
    target: other,
    sample: null,
    settle: QUICKLY,
    showSides: 100,
    ...options,
  }).run();
  const found = differences.map(({ database, key, aspects }) => `${database} ${key} ${aspects}`).sort();
  return { result, found, bothSides };
}

test('where the same key is on both sides', () => {
  const places = (side: 'source' | 'target', database: number) => placesOf(MAP, { side, database });
  expect(places('source', 1)).toEqual({ source: [1], target: 0 });
  expect(places('source', 3)).toEqual({ source: [3], target: 3 });
  expect(places('target', 0)).toEqual({ source: [0, 1], target: 0 });
  expect(places('target', 1)).toEqual({ source: [], target: 1 });
  expect(places('target', 5)).toEqual({ source: [5, 2], target: 5 });
  expect(placesOf({ 0: 1, 1: 0 }, { side: 'target', database: 0 })).toEqual({ source: [1], target: 0 });
});

test.each(MODES)('databases that have another number on the target are compared there (%j)', async (sample) => {
  for (const [database, name] of [
    [0, 'zero'],
    [1, 'one'],
    [2, 'two'],
  ] as const) {
    const lasting: Command = ['SET', `${name}:lasting`, 'x', 'PXAT', 4_000_000_000_000];
    const data = [...strings(name), lasting, ['HSET', `${name}:hash`, 'f', 'v']] as Command[];
    await write(one, data, database);
    await write(other, data, MAP[database] ?? database);
  }
  const target = { ...other, databases: MAP };
  expect((await compare({ target, sample })).result).toMatchObject({ outcome: 'equal', equal: 3 * (FEW + 2) });

  await write(
    other,
    [
      ['DEL', 'two:7'],
      ['PERSIST', 'two:lasting'],
      ['SET', 'one:3', 'is in the wrong one'],
    ],
    5,
  );
  await write(other, [['HSET', 'one:hash', 'f', 'w']]);
  await write(other, [['SET', 'zero:1', 'nothing goes here']], 1);
  const { found, bothSides } = await compare({ target, sample });
  expect(found).toEqual([
    '1 one:hash value',
    '1 zero:1 extra',
    '2 two:7 missing',
    '2 two:lasting ttl',
    '5 one:3 extra',
  ]);
  expect(bothSides.flat()).toContainEqual({ side: 'source', text: '"f" = "v"' });
  expect(bothSides.flat()).toContainEqual({ side: 'target', text: '"f" = "w"' });
});

const SCOPES: readonly [KeyScope, string[]][] = [
  [{ ...EVERY_KEY, databases: [0] }, ['0 in:7 missing', '0 other:hash missing']],
  [{ ...EVERY_KEY, match: 'in:*' }, ['0 in:7 missing', '3 in:7 missing']],
  [{ ...EVERY_KEY, type: 'hash' }, ['0 other:hash missing']],
  [{ databases: [3], match: 'in:*', type: 'string' }, ['3 in:7 missing']],
];

test.each(SCOPES)('only what is copied is compared: %j', async (scope, expected) => {
  for (const database of [0, 3]) {
    await write(one, [...strings('in'), ...strings('out')], database);
    await write(other, [...strings('in'), ['DEL', 'in:7'], ['SET', 'redferry:run', 'x']], database);
  }
  await write(one, [['HSET', 'other:hash', 'f', 'v']]);
  for (const sample of MODES) {
    // Of `out` nothing is on the target: what is in scope and not named above is equal.
    const { result, found } = await compare({ scope, sample });
    expect(found.filter((line) => !line.includes('out:'))).toEqual(expected);
    const outs = scope.match === null && scope.type === null ? FEW : 0;
    expect(result.different).toBe(expected.length + outs);
    expect(result.checked).toBe(result.total);
    expect(result.notes.join()).toContain('Only keys');
  }
});
