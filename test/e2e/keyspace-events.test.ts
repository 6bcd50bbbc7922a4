// Keyspace events from the screen: what is missing is said, added after a question, and put back, whichever way the run ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { client } from '../support/client.ts';
import { spawnProgram } from '../support/pty.ts';
import { keyspaceEvents } from '../support/scan.ts';
import { testServer } from '../support/servers.ts';
import { addressOf, fromTo } from './pair.ts';
import { runProgram } from './run-program.ts';

async function stage() {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const [from, to] = [client(source), client(target)];
  await from.mset('kept', '1', 'gone', '1');
  const folder = mkdtempSync(join(tmpdir(), 'redferry-events-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const env = { TMPDIR: folder, REDFERRY_STATE_DIR: join(folder, 'state') };
  const start = (more: readonly string[] = []) =>
    spawnProgram({
      args: [...fromTo(source, target), '--reader', 'scan', '--on-conflict', 'rewrite', ...more],
      env,
      columns: 120,
      rows: 30,
    });
  return { from, to, start, source, target };
}

/** Presses K and agrees. */
async function enable(program: ReturnType<typeof spawnProgram>): Promise<void> {
  await program.until('(empty) not enough, press K');
  program.press('K');
  await program.until(/\(empty\) \S+ AE /);
  program.press('y');
  await program.until('AE enough');
  await program.until(/streaming/);
}

test('off: said, enabled with K, followed, and put back after quitting', async () => {
  const { from, to, start } = await stage();
  const program = start();
  await program.until('Changes do not arrive: notify-keyspace-events is (empty).');
  await from.set('kept', '2');
  await from.del('gone');
  await program.until('(empty) not enough, press K');
  program.press('K');
  await program.until(/notify-keyspace-events of 127\.0\.0\.1:\d+\? \(empty\) \S+ AE /);
  await program.until('more processor time');
  program.press('n');
  await program.until((screen) => !screen.includes('y = yes'));
  expect(await keyspaceEvents(from)).toBe('');
  await enable(program);
  expect(await keyspaceEvents(from)).toBe('AE');
  // What nothing told of is made up for.
  await expect.poll(() => to.mget('kept', 'gone'), { timeout: 15_000 }).toEqual(['2', null]);
  await from.set('later', '1');
  await expect.poll(() => to.get('later'), { timeout: 10_000 }).toBe('1');
  // Off and on again, now for all shards; what happened in between is made up for.
  program.press('E');
  await program.until('Put notify-keyspace-events');
  program.press('y');
  await program.until('(empty) not enough, press K');
  await from.set('between', '1');
  program.press('E');
  await program.until(/\(empty\) \S+ AE /);
  program.press('y');
  await expect.poll(() => to.get('between'), { timeout: 15_000 }).toBe('1');
  await program.until(/streaming/);
  // Another scan by hand finds what somebody has taken from the target.
  await to.del('kept');
  program.press('R');
  await program.until('once more?');
  program.press('y');
  await expect.poll(() => to.get('kept'), { timeout: 15_000 }).toBe('2');
  program.press('S');
  await program.until(/Stop/);
  program.press('y');
  expect(await program.exit).toMatchObject({ code: 0 });
  expect(await keyspaceEvents(from)).toBe('');
});

test('put back after SIGTERM, and what was there before is kept', async () => {
  const { from, start } = await stage();
  await from.config('SET', 'notify-keyspace-events', 'Kg');
  const program = start();
  await program.until('gK not enough, press K');
  program.press('K');
  await program.until(/gK \S+ AK /);
  program.press('y');
  await expect.poll(() => keyspaceEvents(from), { timeout: 10_000 }).toBe('AK');
  program.kill('SIGTERM');
  await program.exit;
  expect(await keyspaceEvents(from)).toBe('gK');
});

test('noticed by the next run after kill -9, and put back by it', async () => {
  const { from, start } = await stage();
  const killed = start();
  await enable(killed);
  killed.kill('SIGKILL');
  await killed.exit;
  expect(await keyspaceEvents(from)).toBe('AE');
  const next = start(['--headless', '--resume']);
  await next.until('was killed before it put back notify-keyspace-events', 20_000);
  next.kill('SIGTERM');
  await next.exit;
  expect(await keyspaceEvents(from)).toBe('');
});

test('without the right to CONFIG: where it is set is said, by check before anything runs', async () => {
  const { from, to, start, ...places } = await stage();
  await from.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '&*', '+@all', '-config');
  const source = addressOf(places.source).replace('//', '//reader:secret@');
  const checked = await runProgram([
    'check',
    '--reader',
    'scan',
    '--source',
    source,
    '--target',
    addressOf(places.target),
  ]);
  expect(checked.stdout).toMatch(/user reader may not read notify-keyspace-events/);
  expect(checked.stdout.replace(/\s+/g, ' ')).toContain('ElastiCache and MemoryDB: parameter group');
  expect(await to.dbsize()).toBe(0);
  const program = start(['--source', source]);
  await program.until('by tracking');
  program.press('K');
  await program.until('CONFIG is forbidden here');
  await program.until('parameter group');
  await from.del('gone');
  await expect.poll(() => to.exists('gone'), { timeout: 10_000 }).toBe(0);
  program.kill('SIGTERM');
  await program.exit;
});
