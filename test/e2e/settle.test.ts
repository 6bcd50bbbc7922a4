// `redferry settle`: what a killed run has left on a target is ended without another run.
import { describe, expect, it } from 'vitest';
import { client } from '../support/client.ts';
import { expiryOn } from '../support/expiry.ts';
import { endpointOf, migrate, type Place } from '../support/migration.ts';
import { SERVER_KINDS } from '../support/other-servers.ts';
import { testServer } from '../support/servers.ts';
import { runProgram, startProgram } from './run-program.ts';

const EXACT = Date.now() + 3_600_000;
const HELD = EXACT + 8_000_000_000_000;

function addressOf({ host, port }: Place): string {
  return `${host}:${port}`;
}

/** Begins a run in the program itself, and kills it when it streams. */
async function killedRun(source: Place, target: Place): Promise<void> {
  const program = startProgram(['sync', '--source', addressOf(source), '--target', addressOf(target), '--json']);
  await program.until(/"state":"streaming"/);
  program.kill('SIGKILL');
  await program.ended;
}

describe('redferry settle', () => {
  it('settles the expiries that a killed run has left held', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    const [from, to] = [client(source), client(target)];
    await from.set('k', 1, 'PXAT', EXACT);
    await killedRun(source, target);
    expect(await expiryOn(to, 'k')).toBe(HELD);
    const first = await runProgram(['settle', '--target', addressOf(target)]);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^1 keys and 0 hash fields of the target have their exact expiry again/);
    expect(await expiryOn(to, 'k')).toBe(EXACT);
    const second = await runProgram(['settle', '--target', addressOf(target)]);
    expect(second).toMatchObject({ code: 0, stdout: 'Nothing is held on the target.\n' });
  });

  it('turns off the import-mode that a killed run has left on, and not one of somebody else', async () => {
    const binary = SERVER_KINDS.find(({ label }) => label === 'valkey-8.1')?.binary ?? '';
    const [source, target] = await Promise.all([testServer(), testServer({ binary })]);
    const to = client(target);
    const importMode = async () => ((await to.config('GET', 'import-mode')) as string[])[1];
    await killedRun(source, target);
    expect(await importMode()).toBe('yes');
    expect(await runProgram(['settle', '--target', addressOf(target)])).toMatchObject({ code: 0 });
    expect(await importMode()).toBe('no');
    await to.config('SET', 'import-mode', 'yes');
    expect(await runProgram(['settle', '--target', addressOf(target)])).toMatchObject({ code: 0 });
    expect(await importMode()).toBe('yes');
  });

  it('does nothing while a run writes to the target', async () => {
    const [source, target] = await Promise.all([testServer(), testServer()]);
    await client(source).set('k', 1, 'PXAT', EXACT);
    const run = migrate(endpointOf(source), endpointOf(target));
    await run.streaming();
    const refused = await runProgram(['settle', '--target', addressOf(target)]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/Run test-\S+ writes to .*it settles what it holds when it ends/);
    expect(await expiryOn(client(target), 'k')).toBe(HELD);
    await run.stop();
  });

  it('needs a target, and one that is a server', async () => {
    const [none, file] = [await runProgram(['settle']), await runProgram(['settle', '--target', 'rdb:a.rdb'])];
    expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/no target: give --target ADDRESS/) });
    expect(file).toMatchObject({ code: 2, stderr: expect.stringMatching(/is a file/) });
  });
});
