// The command table against a real server: for every write command it has, with generated argument lists, the same keys
// as COMMAND GETKEYS. REDIS_SERVER=path tries another version.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { FLAG, NO_KEYS } from '../../source/protocol/command-spec.ts';
import { COMMAND_KIND, type CommandSpec, CommandTable } from '../../source/protocol/command-table.ts';
import { readServerCommands, type ServerCommand } from '../../source/protocol/server-commands.ts';
import { keysOf, lookup } from './arguments.ts';
import { type LocalServer, startLocalServer } from './local-server.ts';

let server: LocalServer;
let reply: unknown;
let commands: ServerCommand[] = [];
/** The smallest number of arguments, the name (or both names) included. */
const arity = new Map<string, number>();

beforeAll(async () => {
  server = await startLocalServer();
  reply = await server.client.call('COMMAND');
  commands = readServerCommands(reply);
  const note = (entry: unknown): void => {
    if (!Array.isArray(entry)) return;
    arity.set(String(entry[0]).toUpperCase().replace('|', ' '), Number(entry[1]));
    for (const member of Array.isArray(entry[9]) ? entry[9] : []) note(member);
  };
  for (const entry of Array.isArray(reply) ? reply : []) note(entry);
});
afterAll(() => server.stop());

const words = (count: number, prefix = 'a'): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const pairs = (count: number): string[] => words(count).flatMap((word) => [word, `value of ${word}`]);

/** Families whose keys hang on the arguments' contents. */
const SHAPES: Readonly<Record<string, (n: number) => string[][]>> = {
  ...each('ZUNIONSTORE ZINTERSTORE ZDIFFSTORE', (n) => [['dest', String(n), ...words(n), 'WEIGHTS', ...words(n, 'w')]]),
  ...each('LMPOP ZMPOP', (n) => [[String(n), ...words(n), 'LEFT', 'COUNT', '2']]),
  ...each('BLMPOP BZMPOP', (n) => [['0.5', String(n), ...words(n), 'MAX']]),
  ...each('EVAL EVALSHA FCALL', (n) => [
    ['code', String(n), ...words(n), 'argument'],
    ['code', '0', ...words(n)],
  ]),
  SORT: (n) => [
    ['key', 'BY', 'weight_*', 'LIMIT', '0', String(n), 'GET', '#', 'ASC', 'sTore', 'dest'],
    ['key', 'GET', 'limit', 'DESC'],
    ['key', 'STORE', 'first', 'STORE', 'second'],
  ],
  GEORADIUS: (n) => [
    ['key', '1', '2', String(n), 'km', 'COUNT', '5', 'StoreDist', 'dest', 'ASC'],
    ['key', '1', '2', '3', 'km', 'STORE', 'one', 'STOREDIST', 'two'],
    ['key', '1', '2', '3', 'km'],
  ],
  GEORADIUSBYMEMBER: (n) => [
    ['key', 'store', String(n), 'km', 'STORE', 'dest'],
    ['key', 'member', '3', 'km', 'WITHCOORD'],
  ],
  XREADGROUP: (n) => [['GROUP', 'streams', 'c', 'COUNT', '1', 'NOACK', 'Streams', ...words(n), ...words(n, '>')]],
  MIGRATE: (n) => [
    ['host', '6379', 'key', '0', '100'],
    ['host', '6379', '', '0', '100', 'COPY', 'KEYS', ...words(n)],
  ],
  ...each('MSET MSETNX', (n) => [pairs(n)]),
  MSETEX: (n) => [[String(n), ...pairs(n), 'EX', '5']],
};

function each(names: string, make: (n: number) => string[][]): Record<string, (n: number) => string[][]> {
  return Object.fromEntries(names.split(' ').map((name) => [name, make]));
}

function argumentLists(name: string): string[][] {
  const shaped = SHAPES[name];
  if (shaped !== undefined) return [1, 2, 3, 12].flatMap(shaped);
  const least = Math.abs(arity.get(name) ?? 1) - name.split(' ').length;
  const most = (arity.get(name) ?? 1) > 0 ? least : least + 5;
  return Array.from({ length: most - least + 1 }, (_, more) => words(least + more));
}

/** The server's opinion; null when it takes the arguments for wrong. */
async function serverKeys(args: readonly string[]): Promise<string[] | null> {
  try {
    const keys = await server.client.call('COMMAND', 'GETKEYS', ...args);
    return Array.isArray(keys) ? keys.map(String) : null;
  } catch (error) {
    if (String(error).includes('no key arguments')) return [];
    return null;
  }
}

/** Compares for all commands; gives what differs and how many lists both had an opinion of. */
async function compare(
  chosen: readonly ServerCommand[],
  specOf: (args: readonly string[]) => CommandSpec | null,
): Promise<{ differences: string[]; compared: number; seen: Set<string> }> {
  const differences: string[] = [];
  const seen = new Set<string>();
  let compared = 0;
  for (const { name } of chosen) {
    for (const rest of argumentLists(name)) {
      // Names come as clients typed them.
      const typed =
        compared % 3 === 0
          ? name.toLowerCase()
          : compared % 3 === 1
            ? name
            : name.slice(0, 2) + name.slice(2).toLowerCase();
      const args = [...typed.split(' '), ...rest];
      const theirs = await serverKeys(args);
      if (theirs === null) continue;
      const spec = specOf(args);
      const ours = spec === null ? null : keysOf(spec, args);
      compared++;
      seen.add(name);
      if (JSON.stringify(ours?.toSorted()) !== JSON.stringify(theirs.toSorted())) {
        differences.push(`${args.join(' ')}: ${JSON.stringify(ours)}, server ${JSON.stringify(theirs)}`);
      }
    }
  }
  return { differences, compared, seen };
}

const ALSO_IN_STREAMS = new Set(['EVAL', 'EVALSHA', 'FCALL', 'PFCOUNT', 'TOUCH']);

test('every write command has the keys that the server finds', async () => {
  const table = new CommandTable();
  const writes = commands.filter(({ name, flags }) => flags.has('write') || ALSO_IN_STREAMS.has(name));
  expect(writes.length).toBeGreaterThan(110);
  const { differences, compared, seen } = await compare(writes, (args) => lookup(table, ...args));
  expect(differences).toEqual([]);
  expect(compared).toBeGreaterThan(400);
  // Every one of them was really asked about.
  expect(writes.map(({ name }) => name).filter((name) => !seen.has(name))).toEqual([]);
});

test("what is read from the server's own COMMAND finds the same keys", async () => {
  const writes = commands.filter(({ flags, name }) => flags.has('write') && !['SORT', 'MIGRATE'].includes(name));
  const byName = new Map(writes.map((command) => [command.name, command]));
  const { differences } = await compare(writes, ([first = '', second = '']) => {
    const found = byName.get(`${first} ${second}`.toUpperCase()) ?? byName.get(first.toUpperCase());
    return found === undefined
      ? null
      : { name: found.name, kind: COMMAND_KIND.NORMAL, class: 'write', flags: 0, keys: found.keys };
  });
  expect(differences).toEqual([]);
});

test('every write command of the server is a write in the table, and nothing unknown is left', () => {
  const table = new CommandTable();
  for (const { name, flags, container } of commands) {
    const spec = lookup(table, ...name.split(' '));
    expect(spec?.name, name).toBe(name);
    if (spec !== null && flags.has('write')) {
      expect(spec.flags & FLAG.WRITE, name).not.toBe(0);
      if (spec.class !== 'keyless') expect(spec.class, name).toBe('write');
      else expect(spec.keys).toBe(NO_KEYS);
    }
    if (spec !== null) expect((spec.flags & FLAG.CONTAINER) !== 0, name).toBe(container);
  }
  expect(table.addFromServer(reply)).toBe(0);
});
