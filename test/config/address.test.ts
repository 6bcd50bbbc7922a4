import { describe, expect, test } from 'vitest';
import {
  describeAddress,
  parseAddress,
  parseFileAddress,
  passwordIn,
  targetPathOf,
} from '../../source/config/address.ts';

const plain = { scheme: 'redis', tls: false, masterName: null, username: null, password: null };

describe('parseAddress', () => {
  test.each([
    ['db1', [{ host: 'db1', port: 6379 }]],
    ['db1:7000', [{ host: 'db1', port: 7000 }]],
    ['[::1]:6380', [{ host: '::1', port: 6380 }]],
    ['[::1]', [{ host: '::1', port: 6379 }]],
    ['redis://db1/', [{ host: 'db1', port: 6379 }]],
    [
      'a:1,b,[::1]:3',
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
        { host: '::1', port: 3 },
      ],
    ],
  ])('%s', (text, nodes) => {
    expect(parseAddress(text)).toEqual({ ...plain, nodes });
  });

  test('decodes credentials, whatever signs they hold', () => {
    expect(parseAddress('rediss://us%40er:p%2Fa:s@s@db1:7000')).toEqual({
      ...plain,
      tls: true,
      username: 'us@er',
      password: 'p/a:s@s',
      nodes: [{ host: 'db1', port: 7000 }],
    });
    expect(parseAddress('redis://:secret@db1')).toMatchObject({ username: null, password: 'secret' });
    expect(parseAddress('redis://ferry@db1')).toMatchObject({ username: 'ferry', password: null });
  });

  test('reads sentinels', () => {
    expect(parseAddress('redis-sentinel://:pw@h1:26380,h2/orders')).toEqual({
      ...plain,
      scheme: 'sentinel',
      masterName: 'orders',
      password: 'pw',
      nodes: [
        { host: 'h1', port: 26380 },
        { host: 'h2', port: 26379 },
      ],
    });
  });

  test.each([
    ['redis://u:geheim@db1/3', /all databases are copied/],
    ['redis://u:geheim@db1?db=1', /options after \?/],
    ['redis://u:geheim@db1:99999', /not HOST:PORT/],
    ['redis://u:geheim%zz@db1', /%25/],
    ['http://u:geheim@db1', /scheme http is not known/],
    ['redis-sentinel://u:geheim@h1', /name of the master/],
    ['rdb:dump.rdb', /names a file, where a running server is needed/],
    ['aof:dir', /names a file, where a running server is needed/],
    ['jsonl:keys', /names a file, where a running server is needed/],
    ['unix:/run/redis.sock', /unix sockets are not built yet/],
    ['', /no host/],
    ['redis://a,,b', /no host/],
  ])('refuses %s without telling a secret', (text, message) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'config', exitCode: 2 }));
    expect(() => parseAddress(text)).toThrow(message);
    expect(() => parseAddress(text)).not.toThrow(/geheim/);
  });
});

describe('parseFileAddress', () => {
  test.each([
    ['rdb:dump.rdb', 'rdb', ['dump.rdb']],
    ['RDB:/backup/a b.rdb', 'rdb', ['/backup/a b.rdb']],
    ['rdb:a.rdb,/x/*.rdb,b@c.rdb.gz', 'rdb', ['a.rdb', '/x/*.rdb', 'b@c.rdb.gz']],
    ['rdb:-', 'rdb', ['-']],
    ['aof:/data/a,b', 'aof', ['/data/a,b']],
    ['jsonl:-', 'jsonl', ['-']],
  ])('%s', (text, format, paths) => {
    expect(parseFileAddress(text)).toEqual({ format, paths });
  });

  test('leaves the address of a server alone', () => {
    for (const text of ['redis://db1', 'db1:7000', 'rdbs:1', '', '/dump.rdb'])
      expect(parseFileAddress(text)).toBeNull();
  });

  test.each([
    ['rdb:', /name of a file is missing; write rdb:PATH/],
    ['rdb:a.rdb,,b.rdb', /name of a file is missing/],
    ['aof:', /write aof:PATH/],
    ['rdb:-,a.rdb', /- is standard input and stands alone/],
    ['rdb:///backup/a.rdb', /without \/\/: rdb:PATH/],
  ])('refuses %s', (text, message) => {
    expect(() => parseFileAddress(text)).toThrow(expect.objectContaining({ code: 'config', exitCode: 2 }));
    expect(() => parseFileAddress(text)).toThrow(message);
  });
});

describe('targetPathOf', () => {
  test('gives the one path', () => {
    expect(targetPathOf({ format: 'rdb', paths: ['out.rdb'] })).toBe('out.rdb');
  });

  test.each([
    [['a.rdb', 'b.rdb'], /rdb:a.rdb,b.rdb: a target is one file/],
    [['-'], /writing to standard output is not built/],
    [['*.rdb'], /not a pattern/],
  ])('refuses %s', (paths, message) => {
    expect(() => targetPathOf({ format: 'rdb', paths })).toThrow(message);
  });
});

test('describeAddress shows no credentials', () => {
  expect(describeAddress('redis://u:p@ss@db1:1,db2:2')).toBe('redis://db1:1,db2:2');
  expect(describeAddress('u:p@db1:1')).toBe('db1:1');
  expect(describeAddress('redis://db1?password=p')).toBe('redis://db1?...');
  expect(describeAddress('rdb:/x/a@b?.rdb')).toBe('rdb:/x/a@b?.rdb');
});

test('passwordIn finds a password and nothing else', () => {
  expect(passwordIn('redis://u:p@db1:1')).toBe('p');
  expect(passwordIn('u:p@db1')).toBe('p');
  expect(passwordIn('redis://u@db1:1')).toBeNull();
  expect(passwordIn('redis://db1:6379')).toBeNull();
  expect(passwordIn('rdb:/x/a:b@c')).toBeNull();
});
