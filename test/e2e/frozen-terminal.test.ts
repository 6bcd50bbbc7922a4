// A terminal that stops reading never delays the data: a stalled SSH link or ctrl+s in tmux must not hold up a migration.
import { expect, test } from 'vitest';
import { write } from '../../bench/load.ts';
import { askServer } from '../../source/demo/ask-server.ts';
import { compare } from '../support/migration.ts';
import { spawnProgram } from '../support/pty.ts';
import { testServer } from '../support/servers.ts';
import { waitFor } from '../support/wait.ts';
import { fromTo } from './pair.ts';

const COMMANDS = 300_000;
const KEYSPACE = 50_000;

/** Written behind all others: the target gets the stream in its order, so with it everything has arrived. */
const LAST = 'written-last';

test('the target receives everything while the terminal is frozen', async () => {
  const [source, target] = await Promise.all([testServer(), testServer()]);
  const program = spawnProgram({ args: fromTo(source, target), columns: 200, rows: 50 });
  await program.until('1/1 streaming', 30_000);

  program.freeze();
  const before = program.raw().length;
  // Each redraw is some kilobytes: a kernel's buffer of a terminal is full after a few of them.
  const flood = setInterval(() => program.press('\x0c'), 20);
  const startedAt = performance.now();
  const writeSeconds = await write(source, { commands: COMMANDS, keyspace: KEYSPACE, rate: null });
  await askServer(source, ['SET', LAST, 'here']);
  await waitFor(async () => (await askServer(target, ['EXISTS', LAST])) === '1', {
    what: 'the target to have what was written last',
    deadlineMs: 30_000,
  });
  const seconds = (performance.now() - startedAt) / 1000;
  clearInterval(flood);
  console.log(`${COMMANDS} SETs written in ${writeSeconds.toFixed(1)} s, on the target after ${seconds.toFixed(1)} s`);
  expect(program.raw().length).toBe(before);

  program.thaw();
  // The picture is of now, not of when the terminal froze.
  await program.until((screen) => /lag\s+0\.0s/.test(screen) && screen.includes('1/1 streaming'));
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences).toEqual([]);
  expect(report.checked).toBe(KEYSPACE + 1);

  program.press('q');
  await program.until('Stop the migration?');
  program.press('y');
  expect(await program.exit).toEqual({ code: 0, signal: null });
  expect(program.normalScreen()).toContain(`${(COMMANDS + 1).toLocaleString('en')} stream commands`);
}, 90_000);
