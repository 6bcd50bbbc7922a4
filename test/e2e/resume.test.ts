// A run whose process was killed, and the person who types the same command again.
import { expect, test } from 'vitest';
import { compare } from '../support/migration.ts';
import { spawnProgram } from '../support/pty.ts';
import { testServer } from '../support/servers.ts';
import { addressOf, stateFolder } from '../support/sync-process.ts';
import { runProgram } from './run-program.ts';

test('the unfinished run is found, and resumed, begun anew or left as the person says', async () => {
  const source = await testServer({ args: ['--repl-diskless-sync-delay', '0'] });
  const target = await testServer();
  const env = { REDFERRY_STATE_DIR: stateFolder() };
  const args = ['--source', addressOf(source), '--target', addressOf(target)];
  const first = spawnProgram({ args, env });
  await first.until('1/1 streaming');
  // While it goes on there is nothing to resume.
  const second = spawnProgram({ args, env });
  expect(await second.exit).toEqual({ code: 5, signal: null });
  expect(second.normalScreen()).toMatch(/of this migration is going on: redferry attac/);
  first.kill('SIGKILL');
  await first.exit;

  const left = spawnProgram({ args, env });
  await left.until('r = resume it');
  left.press('\r');
  expect(await left.exit).toEqual({ code: 0, signal: null });

  const resumed = spawnProgram({ args, env });
  await resumed.until('A run of this migration was left unfinished');
  resumed.press('r\r');
  await resumed.until('1/1 streaming');
  resumed.press('l');
  await resumed.until('goes on behind byte');
  resumed.kill('SIGTERM');
  expect(await resumed.exit).toEqual({ code: 0, signal: null });
  const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
  expect(report.differences).toEqual([]);

  // Nothing is left to ask about.
  const { code, stderr } = await runProgram(['sync', '--snapshot-only', '--headless', ...args], env);
  expect(stderr).toBe('');
  expect(code).toBe(0);
});
