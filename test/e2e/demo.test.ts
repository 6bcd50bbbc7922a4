// The demo by itself, without a terminal: it fills, copies under live writes, compares, and leaves nothing behind.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { waitFor } from '../support/wait.ts';
import { startProgram } from './run-program.ts';

/** Process ids of the descendants of `ancestor`, by what the kernel says. Linux only. */
const descendantsOf = (ancestor: number): readonly number[] => {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = /^PPid:\s+(\d+)/m.exec(read(`/proc/${name}/status`))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  const found = new Set([ancestor]);
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  found.delete(ancestor);
  return [...found];
};

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The process has ended meanwhile.
    return '';
  }
};

const isServer = (pid: number): boolean => /redis-server|valkey-server/.test(read(`/proc/${pid}/cmdline`));

const folderOf = (pid: number): string | null => {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
};

/** The servers that run below the demo, with their working folders. */
const serversOf = (pid: number): ReadonlyMap<number, string | null> =>
  new Map(descendantsOf(pid).flatMap((each) => (isServer(each) ? [[each, folderOf(each)] as const] : [])));

const exists = (folder: string): boolean => {
  try {
    readdirSync(folder);
    return true;
  } catch {
    return false;
  }
};

const expectGone = async (servers: ReadonlyMap<number, string | null>): Promise<void> => {
  await waitFor(() => [...servers.keys()].every((pid) => !isServer(pid)), { what: "the demo's servers to be gone" });
  expect([...servers.values()].filter((folder) => folder !== null && exists(folder))).toEqual([]);
};

test.runIf(process.platform === 'linux')(
  'demo --headless compares all keys, exits 0 and leaves no server and no folder',
  async () => {
    const program = startProgram(['demo', '--headless', '--keys', '5000']);
    await program.until(/shard-2 /, 60_000);
    const servers = serversOf(program.pid);
    expect(servers.size).toBeGreaterThanOrEqual(6);
    const { code, stdout, stderr } = await program.ended;
    expect(stderr).toBe('');
    expect(stdout).toMatch(/All \d+ keys are equal on both sides/);
    expect(stdout).toMatch(/redferry: completed/);
    expect(code).toBe(0);
    await expectGone(servers);
  },
  90_000,
);

test.runIf(process.platform === 'linux').each(['SIGINT', 'SIGTERM'] as const)(
  'demo ended by %s leaves no server and no folder',
  async (signal) => {
    const program = startProgram(['demo', '--headless', '--keys', '5000']);
    await program.until(/shard-2 streaming/, 60_000);
    const servers = serversOf(program.pid);
    expect(servers.size).toBeGreaterThanOrEqual(6);
    program.kill(signal);
    const { code, stderr } = await program.ended;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    await expectGone(servers);
  },
  90_000,
);
