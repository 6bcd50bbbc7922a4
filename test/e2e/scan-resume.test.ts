// A scan whose process was killed: the next one knows what was written for its own, and leaves what was there before alone.
import { expect, test } from 'vitest';
import { client } from '../support/client.ts';
import { testServer } from '../support/servers.ts';
import { stateFolder } from '../support/sync-process.ts';
import { fromTo } from './pair.ts';
import { runProgram, startProgram } from './run-program.ts';

for (const there of [0, 3]) {
  test(`killed and resumed, with ${there} keys of others on the target`, async () => {
    const [source, target] = [await testServer(), await testServer()];
    const [from, to] = [client(source), client(target)];
    for (let i = 0; i < 300; i++) await from.set(`key:${i}`, '1');
    for (let i = 0; i < there; i++) await to.set(`theirs:${i}`, 'x');
    if (there > 0) await to.set('key:0', 'target');
    const env = { REDFERRY_STATE_DIR: stateFolder() };
    const policy = ['--reader', 'scan', '--on-conflict', 'ignore'];
    const args = ['sync', '--headless', ...fromTo(source, target), ...policy];
    const killed = startProgram(args, env);
    await expect.poll(() => to.dbsize(), { timeout: 20_000 }).toBe(300 + there);
    // While it goes on nobody else may.
    if (there > 0) expect(await runProgram([...args, '--resume'], env)).toMatchObject({ code: 5 });
    killed.kill('SIGKILL');
    await killed.ended;
    await from.del('key:1', 'key:2');
    await from.mset('key:0', '2', 'key:3', '2', 'new', '2');
    if (there > 0) {
      const asked = await runProgram(args, env);
      expect(asked).toMatchObject({ code: 2 });
      expect(asked.stdout + asked.stderr).toContain('--resume scans again');
    }
    const resumed = await runProgram([...args, '--resume', '--snapshot-only'], env);
    expect(resumed).toMatchObject({ code: 0, stderr: '' });
    expect(await to.mget('key:0', 'key:1', 'key:2', 'key:3', 'new')).toEqual([
      there > 0 ? 'target' : '2',
      ...[null, null, '2', '2'],
    ]);
    expect(await to.dbsize()).toBe(299 + there);
    // It was completed: nothing is left to go on with.
    if (there > 0) expect(await runProgram([...args, '--snapshot-only'], env)).toMatchObject({ code: 0 });
  });
}
