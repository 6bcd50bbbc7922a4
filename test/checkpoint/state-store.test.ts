import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeDurably } from '../../source/checkpoint/durable-file.ts';
import { parseShardState } from '../../source/checkpoint/shard-state.ts';
import { SlotBitmap } from '../../source/checkpoint/slot-bitmap.ts';
import { openMigrationFolder, stateRoot } from '../../source/checkpoint/state-directory.ts';
import { readShardState, ShardStateStore, type StateStoreOptions } from '../../source/checkpoint/state-store.ts';
import { FerryError } from '../../source/engine/errors.ts';
import { waitFor } from '../support/wait.ts';
import { someProgress } from './some-progress.ts';

async function temporaryFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'redferry-state-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  return openMigrationFolder(root, 'migration');
}

interface Watched {
  readonly store: ShardStateStore;
  readonly troubles: (string | null)[];
  offset: number;
}

function openStore(folder: string, change: Partial<StateStoreOptions> = {}): Watched {
  const watched = { troubles: [] as (string | null)[], offset: 1 };
  const store = new ShardStateStore({
    folder,
    run: 'run',
    shard: 'shard-0',
    engineVersion: '0.1.0',
    saveEveryMs: 20,
    markedSlots: new SlotBitmap(),
    recopied: [],
    progress: () => someProgress(watched.offset),
    trouble: (error) => watched.troubles.push(error?.message ?? null),
    ...change,
  });
  return Object.assign(watched, { store });
}

describe('the state of a shard', () => {
  it('is what was saved, private, and a single file', async () => {
    const folder = await temporaryFolder();
    expect(await readShardState(folder, 'shard-0')).toBeNull();
    const { store } = openStore(folder, { markedSlots: SlotBitmap.of([9]) });
    await store.markSlot(16_383);
    await store.close();
    const stored = await readShardState(folder, 'shard-0');
    expect(stored).toMatchObject({ run: 'run', shard: 'shard-0', engine: '0.1.0', progress: someProgress(1) });
    expect([...(stored?.markedSlots.slots() ?? [])]).toEqual([9, 16_383]);
    expect(await readdir(folder)).toEqual(['shard-0.json']);
    expect([(await stat(folder)).mode & 0o777, (await stat(join(folder, 'shard-0.json'))).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
  });

  it('is saved now and then as long as something moves, and not more often', async () => {
    const folder = await temporaryFolder();
    let writes = 0;
    const watched = openStore(folder, {
      saveEveryMs: 50,
      write: (...args) => {
        writes++;
        return writeDurably(...args);
      },
    });
    for (let i = 0; i < 100; i++) {
      watched.offset = i;
      watched.store.changed();
      await delay(2);
    }
    await waitFor(async () => (await readShardState(folder, 'shard-0'))?.progress.offset === 99, { what: 'the last' });
    expect(writes).toBeGreaterThan(2);
    expect(writes).toBeLessThan(12);
    await watched.store.close();
  });

  it('has each slot before its first marker may be sent; many at once share a save', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(40), fc.nat(3)), { maxLength: 60 }), async (marks) => {
        let disk = SlotBitmap.of([]);
        let writes = 0;
        const { store } = openStore('/nowhere', {
          write: async (_, text) => {
            writes++;
            await delay(1);
            disk = parseShardState(text, 'it').markedSlots;
          },
        });
        await Promise.all(
          marks.map(async ([slot, turn]) => {
            for (let i = 0; i < turn; i++) await delay(1);
            await store.markSlot(slot);
            expect(disk.has(slot)).toBe(true);
            expect(store.markSlot(slot)).toBeNull();
          }),
        );
        expect(writes).toBeLessThan(12);
      }),
      { numRuns: 40 },
    );
  });

  it('waits for a full disk, tells of it once it is seen and once it is over', async () => {
    const folder = await temporaryFolder();
    let full = true;
    const { store, troubles } = openStore(folder, {
      write: (...args) => (full ? Promise.reject(new Error('ENOSPC: no space left')) : writeDurably(...args)),
    });
    await expect(store.save()).rejects.toThrow(FerryError);
    let marked = false;
    const marking = store.markSlot(5)?.then(() => {
      marked = true;
    });
    await delay(50);
    expect(marked).toBe(false);
    full = false;
    await marking;
    expect((await readShardState(folder, 'shard-0'))?.markedSlots.has(5)).toBe(true);
    expect(troubles[0]).toMatch(/^The state of shard-0 can not be written to .*ENOSPC.*: free space/);
    expect(troubles.at(-1)).toBeNull();
    await store.close();
  });

  it('gives up waiting when it is closed on a full disk', async () => {
    const { store } = openStore('/nowhere', { write: () => Promise.reject(new Error('ENOSPC')) });
    const marking = expect(store.markSlot(5)).rejects.toThrow(FerryError);
    await expect(store.close()).rejects.toThrow(FerryError);
    await marking;
  });

  it('remembers which slots are to be copied again, in a bounded number of rounds', async () => {
    const folder = await temporaryFolder();
    const { store } = openStore(folder);
    for (let round = 0; round < 40; round++) await store.recopy([round], 100 + round);
    const stored = await readShardState(folder, 'shard-0');
    expect(stored?.recopied).toHaveLength(16);
    for (let round = 0; round < 40; round++) {
      const least = stored?.recopied.find(({ slots }) => slots.has(round))?.offset;
      expect(least).toBeGreaterThanOrEqual(100 + round);
      expect(stored?.markedSlots.has(round)).toBe(true);
    }
    expect(store.markSlot(3)).toBeNull();
    await store.close();
  });

  it('forgets the slots of a history that is over', async () => {
    const folder = await temporaryFolder();
    const { store } = openStore(folder);
    await store.markSlot(5);
    await store.forgetSlots();
    expect((await readShardState(folder, 'shard-0'))?.markedSlots.has(5)).toBe(false);
    expect(store.markSlot(5)).not.toBeNull();
    await store.close();
  });

  it('never shows half a file, and clears away what a killed process left', async () => {
    const folder = await temporaryFolder();
    const { store } = openStore(folder);
    await store.save();
    await writeFile(join(folder, 'shard-0.json.99-abc.unfinished'), '{"v":1');
    await writeFile(join(folder, 'shard-01.json.99-abc.unfinished'), 'of another shard');
    expect((await readShardState(folder, 'shard-0'))?.progress.offset).toBe(1);
    await store.close();
    expect((await readdir(folder)).sort()).toEqual(['shard-0.json', 'shard-01.json.99-abc.unfinished']);
  });
});

describe('a file that is no state', () => {
  it.each<[string, string | ((good: Record<string, unknown>) => unknown), RegExp]>([
    ['nothing', '', /is not a state that redferry wrote, or is damaged .*: move it away/],
    ['no JSON', '{"v":1', /move it away/],
    ['another JSON', '[1]', /move it away/],
    ['a newer one', '{"v":2,"engine":"9.0.0"}', /written by a newer redferry \(9\.0\.0\)/],
    ['a foreign offset', (good) => ({ ...good, progress: { ...someProgress(1), offset: -1 } }), /progress\.offset/],
    ['too many slots', (good) => ({ ...good, markedSlots: 'AAAA' }), /16384/],
    ['another shard', (good) => ({ ...good, shard: 'shard-1' }), /belongs to shard-1/],
  ])('is told in a sentence: %s', async (_, content, message) => {
    const folder = await temporaryFolder();
    const { store } = openStore(folder);
    await store.close();
    const path = join(folder, 'shard-0.json');
    const good = JSON.parse(await readFile(path, 'utf8'));
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content(good)));
    const reading = readShardState(folder, 'shard-0');
    await expect(reading).rejects.toThrow(message);
    await expect(reading).rejects.toThrow(FerryError);
  });

  it('is a FerryError whatever was changed in it', async () => {
    const folder = await temporaryFolder();
    await openStore(folder).store.close();
    const good = await readFile(join(folder, 'shard-0.json'));
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, end) => {
        const text = Buffer.from(good);
        text[at] = byte;
        for (const each of [text.toString(), good.toString('utf8', 0, end)]) {
          try {
            parseShardState(each, 'it');
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(FerryError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('where it lies', () => {
  it('is as the system says', () => {
    expect(stateRoot({ REDFERRY_STATE_DIR: '/x' }, '/home/u')).toBe('/x');
    expect(stateRoot({ XDG_STATE_HOME: '/s' }, '/home/u')).toBe('/s/redferry');
    expect(stateRoot({ XDG_STATE_HOME: 'relative' }, '/home/u')).toBe('/home/u/.local/state/redferry');
    expect(stateRoot({}, '/home/u')).toBe('/home/u/.local/state/redferry');
  });

  it('is made private, and refused where it is something else', async () => {
    const root = await mkdtemp(join(tmpdir(), 'redferry-state-'));
    onTestFinished(() => rm(root, { recursive: true, force: true }));
    await mkdir(join(root, 'open'), { mode: 0o755 });
    expect((await stat(await openMigrationFolder(root, 'open'))).mode & 0o777).toBe(0o700);
    await writeFile(join(root, 'file'), '');
    await expect(openMigrationFolder(root, 'file')).rejects.toThrow(/can not be used/);
    await symlink(join(root, 'open'), join(root, 'link'));
    await expect(openMigrationFolder(root, 'link')).rejects.toThrow(/not a folder/);
    await expect(openMigrationFolder(root, '../x')).rejects.toThrow(FerryError);
  });
});
