// Real RDB files of the corpus, loaded into a source and synced: what the source made of them must arrive.
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from '../../source/demo/local-servers.ts';
import { corpusFolder, walkedFiles } from '../support/corpus.ts';
import { compare, endpointOf, migrate } from '../support/migration.ts';
import { testServer } from '../support/servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'redferry-corpus-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A server that has loaded the file, or null when it refuses to. */
async function serverWith(path: string, name: string): Promise<RunningServer | null> {
  const file = `${name.replace(/\W/g, '_')}.rdb`;
  copyFileSync(path, join(folder, file));
  try {
    return await startServer({
      args: ['--dir', folder, '--dbfilename', file, '--databases', '64', '--repl-diskless-sync-delay', '0'],
      deadlineMs: 3000,
    });
  } catch {
    return null;
  }
}

if (corpusFolder === null) console.log('the corpus of RDB files is absent: its tests are left out');

describe.runIf(corpusFolder !== null)('files of the corpus that this server can load', () => {
  it('arrive as the source holds them', { timeout: 300_000 }, async () => {
    let synced = 0;
    for (const { path, name } of walkedFiles().filter((file) => existsSync(file.path))) {
      const source = await serverWith(path, name);
      if (source === null) continue;
      try {
        const target = await testServer({ args: ['--databases', '64'] });
        const result = await migrate(endpointOf(source), endpointOf(target), { snapshotOnly: true }).engine.ended;
        expect(result, `${name}: ${result.message}`).toMatchObject({ outcome: 'completed', exitCode: 0 });
        const report = await compare([source], [target], { sourceCluster: false, targetCluster: false });
        expect(report.differences, name).toEqual([]);
        synced++;
        await target.stop();
      } finally {
        await source.stop();
      }
    }
    console.log(`${synced} files of the corpus were loaded and synced`);
    expect(synced).toBeGreaterThan(15);
  });
});
