// The dialog of a conflict in a real terminal, on real servers: both sides are shown, each answer does what it says, and
// what rewrites asks once more.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { client } from '../support/client.ts';
import { PROGRAM, type Program, spawnProgram } from '../support/pty.ts';
import { testServer } from '../support/servers.ts';
import { fromTo } from './pair.ts';

const KEYS = 40;

/** Lists on the source, strings on the target, under the same names. */
async function stage(size: { columns: number; rows: number }) {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [client(source), client(target)];
  for (let i = 0; i < KEYS; i++) await from.rpush(`key:${i}`, 'from the source', String(i));
  await from.set('fresh', '1');
  for (let i = 0; i < KEYS; i++) await to.set(`key:${i}`, `of the target ${i}`, 'EX', 86_400);
  const folder = mkdtempSync(join(tmpdir(), 'redferry-conflicts-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const env = { TMPDIR: folder, REDFERRY_STATE_DIR: join(folder, 'state') };
  const program = spawnProgram({ args: fromTo(source, target), env, ...size });
  return { program, from, to, folder, env, name: `${target.host}:${target.port}` };
}

const KEY = /(key:\d+) {2}\(db 0\)/;
const keyOn = (screen: string): string | null => KEY.exec(screen)?.[1] ?? null;

/** The key that is asked for next, after `former`. */
async function asked(program: Program, former: string | null): Promise<string> {
  await program.until((screen) => {
    const key = keyOn(screen);
    return key !== null && key !== former && screen.includes('stop the run');
  });
  const key = keyOn(program.screen());
  if (key === null) throw new Error('no key is asked for');
  return key;
}

test('asks key by key, shows both sides, and takes what was put aside together', async () => {
  const { program, from, to, name } = await stage({ columns: 80, rows: 24 });
  const first = await asked(program, null);
  const screen = program.screen();
  expect(screen).toMatch(/type\s+list\s+string/);
  expect(screen).toMatch(/size\s+2\s+1[56]/);
  expect(screen).toMatch(/expires\s+never\s+\d{4}-\d\d-\d\d/);
  expect(screen).toMatch(/preview\s+from the source \d+\s+of the target \d+/);
  expect(screen.split('\n')).toHaveLength(24);
  expect(program.wrappedRows()).toBe(0);

  // Rewriting asks once more, and no is no.
  program.press('r');
  await program.until(`Rewrite ${first}?`);
  program.press('n');
  await asked(program, null);
  expect(await to.type(first)).toBe('string');
  program.press('r');
  await program.until(`Rewrite ${first}?`);
  program.press('y');
  const second = await asked(program, first);
  expect(await to.type(first)).toBe('list');

  program.press('i');
  const third = await asked(program, second);
  expect(await to.type(second)).toBe('string');

  // Put off: the screen is free, the shard waits, and the key brings it back.
  program.press('\x1b');
  await program.until((text) => keyOn(text) === null && text.includes('shard-0'));
  await program.until('key c asks (redferry attach)');
  program.press('c');
  expect(await asked(program, null)).toBe(third);

  program.press('c');
  await program.until(new RegExp(`${KEYS - 2} conflicts were put aside`));
  expect(program.screen()).toContain(`another type: ${KEYS - 2}`);
  // All at once needs the target's name; another one does not do.
  program.press('r');
  await program.until(`Type ${name}`);
  program.press('127.0.0.1:1\r');
  await program.until('not the name of the target');
  expect(await to.type(third)).toBe('string');
  program.press('\x15');
  program.press(`${name}\r`);
  await program.until('1/1 streaming', 20_000);
  expect(await to.lrange(third, 0, -1)).toEqual(await from.lrange(third, 0, -1));
  expect(await to.ttl(third)).toBe(-1);
  expect(await to.type(second)).toBe('string');

  program.press('q');
  await program.until('Stop the migration?');
  program.press('y');
  expect((await program.exit).code).toBe(0);
  expect(program.normalScreen()).toMatch(new RegExp(`${KEYS - 1} rewritten, 1 ignored`));
});

test('a policy is switched from the keyboard: ignore at once, rewrite with the name of the target', async () => {
  const { program, to, name, folder, env } = await stage({ columns: 200, rows: 50 });
  await asked(program, null);
  program.press('\x1b');
  await program.until((text) => keyOn(text) === null);
  program.press('C');
  await program.until('Conflict policy of all shards: panic');
  program.press('r');
  await program.until(`Type ${name}`);
  program.press('\x1b');
  await program.until((text) => !text.includes(`Type ${name}`));
  program.press('C');
  await program.until('Conflict policy of all shards: panic');
  program.press('i');
  await program.until('1/1 streaming', 20_000);
  // All of them in the view, a part of them by a search, and every one in the file.
  program.press('5');
  await program.until((text) => text.includes('ignored   db0 key:7') && text.includes('conflicts.jsonl'));
  program.press('/');
  await program.until('Search conflicts');
  program.press('KEY:39\r');
  await program.until((text) => text.includes('with "KEY:39"') && text.includes('key:39') && !text.includes('key:7 '));
  const file = readdirSync(folder).find((entry) => entry.endsWith('.conflicts.jsonl')) ?? '';
  const lines = readFileSync(join(folder, file), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(KEYS);
  expect(lines.find(({ key }) => key === 'key:39')).toMatchObject({
    v: 1,
    shard: 'shard-0',
    database: 0,
    keyBase64: Buffer.from('key:39').toString('base64'),
    outcome: 'ignored',
    difference: 'type',
    type: { source: 'list', target: 'string' },
  });
  // A script needs the target's name too.
  const ctl = (...more: string[]) =>
    spawnSync(process.execPath, [PROGRAM, 'ctl', 'set', 'conflict=rewrite', ...more], {
      env: { ...process.env, ...env },
      encoding: 'utf8',
    });
  expect(ctl()).toMatchObject({ status: 1, stderr: expect.stringContaining(name) });
  expect(ctl('--confirm', name)).toMatchObject({ status: 0, stdout: expect.stringContaining('rewrite') });
  expect(await to.type('key:1')).toBe('string');
  expect(await to.get('fresh')).toBe('1');
  program.press('4');
  await program.until('panic → ignore');
  program.press('q');
  await program.until('Stop the migration?');
  program.press('y');
  expect((await program.exit).code).toBe(0);
  expect(program.normalScreen()).toMatch(new RegExp(`0 rewritten, ${KEYS} ignored`));
});
