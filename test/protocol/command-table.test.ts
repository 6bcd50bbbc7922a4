// The command table by itself: names in any case, families, special kinds, newer commands, what a server adds.

import { describe, expect, test } from 'vitest';
import { FLAG, KEY_SHAPE } from '../../source/protocol/command-spec.ts';
import { COMMAND_KIND, CommandTable } from '../../source/protocol/command-table.ts';
import { keysOf, lookup } from './arguments.ts';

const table = new CommandTable();

function keys(...args: readonly string[]): string[] | null {
  const spec = lookup(table, ...args);
  return spec === null ? null : keysOf(spec, args);
}

describe('lookup', () => {
  test('finds every name in any case, and nothing that only looks like one', () => {
    for (const spec of table.all()) {
      for (const name of [spec.name, spec.name.toLowerCase()]) expect(lookup(table, ...name.split(' '))).toBe(spec);
    }
    for (const name of [
      'SETT',
      'SE',
      '',
      'GE\u0054\u0000',
      'XGROUP CREATE',
      'SET\r',
      '[ET',
      '3ET',
      'restore\rasking',
    ]) {
      expect(lookup(table, name)).toBeNull();
    }
    const none = new Int32Array(0);
    expect(table.lookup(Buffer.alloc(0), none, none, 0)).toBeNull();
  });

  test('tells the members of a family apart', () => {
    expect(lookup(table, 'xgroup', 'Create', 'k', 'g', '$')?.name).toBe('XGROUP CREATE');
    expect(keys('xgroup', 'Create', 'k', 'g', '$')).toEqual(['k']);
    const unknown = lookup(table, 'XGROUP', 'INVENTED', 'k');
    expect(unknown?.name).toBe('XGROUP');
    expect(keys('XGROUP', 'INVENTED', 'k')).toBeNull();
    expect(lookup(table, 'XGROUP')?.name).toBe('XGROUP');
    // An argument that is no member's name.
    expect(lookup(table, 'SET', 'CREATE', 'v')?.name).toBe('SET');
  });

  test('marks what needs more than a slot', () => {
    const expected: Readonly<Record<string, number>> = {
      ping: COMMAND_KIND.PING,
      select: COMMAND_KIND.SELECT,
      multi: COMMAND_KIND.MULTI,
      exec: COMMAND_KIND.EXEC,
      replconf: COMMAND_KIND.REPLCONF,
      flushall: COMMAND_KIND.FLUSHALL,
      flushdb: COMMAND_KIND.FLUSHDB,
      swapdb: COMMAND_KIND.SWAPDB,
      publish: COMMAND_KIND.PUBLISH,
      spublish: COMMAND_KIND.SPUBLISH,
      'script load': COMMAND_KIND.SCRIPT,
      'script flush': COMMAND_KIND.SCRIPT,
      'function load': COMMAND_KIND.FUNCTION,
      'function invented': COMMAND_KIND.FUNCTION,
      move: COMMAND_KIND.MOVE,
      copy: COMMAND_KIND.COPY,
      del: COMMAND_KIND.SPLITTABLE,
      unlink: COMMAND_KIND.SPLITTABLE,
      touch: COMMAND_KIND.SPLITTABLE,
      mset: COMMAND_KIND.SPLITTABLE,
      msetnx: COMMAND_KIND.NORMAL,
      trimslots: COMMAND_KIND.TOPOLOGY,
      'cluster flushslot': COMMAND_KIND.TOPOLOGY,
      set: COMMAND_KIND.NORMAL,
    };
    for (const [name, kind] of Object.entries(expected)) {
      expect(lookup(table, ...name.split(' '))?.kind, name).toBe(kind);
    }
    expect(lookup(table, 'mset')?.keys.step).toBe(2);
    expect(lookup(table, 'del')?.keys.step).toBe(1);
    expect(lookup(table, 'get')?.class).toBe('other');
    expect(lookup(table, 'flushall')?.class).toBe('keyless');
    expect(lookup(table, 'eval')?.class).toBe('write');
  });

  test('has no write command whose keys are unknown, but for the names of families', () => {
    const unknown = table
      .all()
      .filter(({ flags, keys: { shape } }) => flags & FLAG.WRITE && shape === KEY_SHAPE.UNKNOWN);
    expect(unknown.filter(({ flags }) => !(flags & FLAG.CONTAINER)).map(({ name }) => name)).toEqual([]);
  });
});

describe('keys', () => {
  test('of newer commands', () => {
    expect(keys('msetex', '2', 'a', '1', 'b', '2', 'EX', '9')).toEqual(['a', 'b']);
    for (const name of 'DELEX DELIFEQ HSETEX HGETEX HGETDEL HPEXPIREAT XACKDEL XDELEX VADD RESTORE-ASKING JSON.SET'.split(
      ' ',
    )) {
      expect(keys(name, 'k', '1', '2', '3', '4', '5'), name).toEqual(['k']);
    }
    expect(keys('JSON.MSET', 'a', '$', '1', 'b', '$', '2')).toEqual(['a', 'b']);
    expect(keys('CMS.MERGE', 'd', '2', 'a', 'b', 'WEIGHTS', '1', '2')).toEqual(['d', 'a', 'b']);
    expect(keys('SPUBLISH', 'channel', 'm')).toEqual(['channel']);
    expect(keys('BITOP', 'AND', 'd', 'a', 'b')).toEqual(['d', 'a', 'b']);
    expect(keys('HIMPORT', 'SET', 'k', 'x', 'y')).toEqual(['k']);
  });

  test('are not guessed when the arguments do not fit', () => {
    for (const line of [
      'EVAL code 3 a b',
      'EVAL code x a b',
      'EVAL code -1 a b',
      'EVAL code 9999999999999 a',
      'EVAL code',
      'SET',
      'DEL',
      'RENAME a',
      'ZUNIONSTORE d 2 a',
      'MSETEX 2 a 1 b',
      'MIGRATE h p',
      'SORT',
    ]) {
      const args = line.split(' ');
      if (line === 'MSETEX 2 a 1 b') expect(keys(...args)).toEqual(['a', 'b']);
      else expect(keys(...args), line).toBeNull();
    }
    expect(keys('EVAL', 'code', '0')).toEqual([]);
    expect(keys('FLUSHALL')).toEqual([]);
  });
});

describe('what a server adds', () => {
  test('from Redis 6 (no key specifications) and from 7 on, in bytes too', () => {
    const own = new CommandTable();
    const count = own.addFromServer([
      ['mod.old', 3, ['write', 'denyoom'], 2, -1, 2],
      ['mod.vague', -3, ['write', 'movablekeys'], 1, 1, 1],
      [
        Buffer.from('mod.new'),
        -4,
        [Buffer.from('write')],
        0,
        0,
        0,
        [],
        [],
        [
          [
            'flags',
            ['OW'],
            'begin_search',
            ['type', 'index', 'spec', ['index', 1]],
            'find_keys',
            ['type', 'range', 'spec', ['lastkey', 0, 'keystep', 1, 'limit', 0]],
          ],
          [
            'flags',
            ['RO'],
            'begin_search',
            ['type', 'keyword', 'spec', ['keyword', 'from', 'startfrom', 2]],
            'find_keys',
            ['type', 'keynum', 'spec', ['keynumidx', 0, 'firstkey', 1, 'keystep', 2]],
          ],
        ],
        [],
      ],
      [
        'mod.last',
        -4,
        ['write'],
        0,
        0,
        0,
        [],
        [],
        [
          [
            'begin_search',
            ['type', 'keyword', 'spec', ['keyword', 'KEYS', 'startfrom', -2]],
            'find_keys',
            ['type', 'range', 'spec', ['lastkey', -1, 'keystep', 1, 'limit', 0]],
          ],
        ],
        [],
      ],
      [
        'mod.half',
        -2,
        ['write'],
        1,
        1,
        1,
        [],
        [],
        [
          [
            'flags',
            ['incomplete'],
            'begin_search',
            ['type', 'index', 'spec', ['index', 1]],
            'find_keys',
            ['type', 'range', 'spec', ['lastkey', 0, 'keystep', 1, 'limit', 0]],
          ],
        ],
        [],
      ],
      ['mod.family', -2, [], 0, 0, 0, [], [], [], [['mod.family|put', 3, ['write'], 2, 2, 1, [], [], [], []]]],
      ['xgroup', -2, [], 0, 0, 0, [], [], [], [['xgroup|invented', 3, ['write'], 2, 2, 1, [], [], [], []]]],
      ['set', -3, ['write'], 2, 2, 1],
      null,
      [],
    ]);
    expect(count).toBe(8);
    const of = (...args: readonly string[]): string[] | null | undefined => {
      const spec = lookup(own, ...args);
      return spec === null ? undefined : keysOf(spec, args);
    };
    expect(of('Mod.Old', 'x', 'a', '1', 'b', '2')).toEqual(['a', 'b']);
    expect(of('mod.vague', 'a', 'b')).toBeNull();
    expect(of('MOD.NEW', 'd', 'x', 'From', '2', 'a', '1', 'b', '2')).toEqual(['d', 'a', 'b']);
    expect(of('MOD.NEW', 'd')).toEqual(['d']);
    expect(of('mod.last', 'keys', 'x', 'keys', 'a', 'b')).toEqual(['a', 'b']);
    expect(of('mod.half', 'a')).toBeNull();
    expect(of('mod.family', 'PUT', 'k')).toEqual(['k']);
    expect(of('mod.family', 'other', 'k')).toBeNull();
    expect(of('XGROUP', 'INVENTED', 'k')).toEqual(['k']);
    expect(of('SET', 'k', 'v')).toEqual(['k']);
    expect(of('mod.unheard')).toBeUndefined();
    expect(own.addFromServer('nonsense')).toBe(0);
  });

  test('in RESP3 with maps and sets', () => {
    const own = new CommandTable();
    const begin = new Map<string, unknown>([
      ['type', 'index'],
      ['spec', new Map([['index', 2]])],
    ]);
    const find = { type: 'range', spec: { lastkey: 1, keystep: 1, limit: 0 } };
    const spec = new Map<string, unknown>([
      ['flags', new Set(['RW'])],
      ['begin_search', begin],
      ['find_keys', find],
    ]);
    expect(own.addFromServer([['mod.three', -3, new Set(['write']), 0, 0, 0, new Set(), [], [spec], []]])).toBe(1);
    const args = ['mod.three', 'x', 'a', 'b', 'c'];
    const found = lookup(own, ...args);
    expect(found === null ? null : keysOf(found, args)).toEqual(['a', 'b']);
    expect(found?.class).toBe('write');
  });
});
