// Which of the keys that a target held before the run are the run's to remove: only those that it has written for certain.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ShardJob } from '../../source/engine/run/shard-job.ts';
import type { CommandTaker } from '../../source/engine/shard/shard-target.ts';
import { KeysBefore, openSparedKeys, tellsOwnKeys } from '../../source/engine/target/keys-before.ts';
import { NotedCommands } from '../../source/engine/target/noted-commands.ts';
import { CommandTable } from '../../source/protocol/command-table.ts';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { StreamParser } from '../../source/readers/stream-parser.ts';
import { KeptKeys } from '../../source/writers/kept-keys.ts';
import { TEST_LIMITS } from '../support/migration.ts';

const NAMES = ['a', 'b', 'c', 'd'].map((name) => Buffer.from(name));

/** All that is asked of a job, with a target that held NAMES in its databases 0 and 1. */
function jobWithNames(): ShardJob {
  const spoolDirectory = mkdtempSync(join(tmpdir(), 'redferry-before-'));
  onTestFinished(() => rmSync(spoolDirectory, { recursive: true, force: true }));
  const beforeFile = join(spoolDirectory, 'shard-0.before');
  const keys = new KeptKeys(spoolDirectory, 'before', beforeFile);
  for (const name of NAMES) for (const database of [0, 1]) keys.add(database, name);
  keys.close();
  const limits = { ...TEST_LIMITS, spoolDirectory };
  return {
    name: 'shard-0',
    attempt: 1,
    resume: null,
    targetWasEmpty: false,
    beforeFile,
    limits,
  } as unknown as ShardJob;
}

const NOBODY: CommandTaker = {
  insideBlock: false,
  database: 0,
  handle: () => {},
  inject: () => {},
  oversized: () => {},
  discardBlock: () => {},
};

/** What a second full sync may not touch, as database and name, behind these commands of the stream. */
function sparedAfter(job: ShardJob, commands: readonly string[], swaps = true): string {
  const before = new KeysBefore(job, job.beforeFile ?? '', () => {});
  before.open();
  const noted = new NotedCommands({ ...NOBODY }, before, new CommandTable(), swaps);
  for (const command of commands) {
    const bytes = encodeCommand(command.split(' '));
    const parser = new StreamParser(new ByteWindow(bytes), { commandBytes: bytes.length });
    parser.next();
    noted.handle(parser);
  }
  before.close();
  return spared(job);
}

function spared(job: ShardJob): string {
  const keys = openSparedKeys(job);
  onTestFinished(() => keys.close());
  const left = [0, 1].flatMap((database) =>
    NAMES.filter((name) => keys.has(database, name)).map((name) => `${database}${name}`),
  );
  return left.join(' ');
}

test.each([
  [['SET a 1', 'APPEND a 2', 'SET new 1'], '0b 0c 0d 1a 1b 1c 1d'],
  [['DEL a b'], '0c 0d 1a 1b 1c 1d'],
  [['MSET a b c d'], '0b 0d 1a 1b 1c 1d'],
  // Of several keys a command may only read some.
  [['SUNIONSTORE a b c', 'RENAME a d', 'COPY a b'], '0a 0b 0c 0d 1a 1b 1c 1d'],
  [['SUNIONSTORE a b', 'SET a 1'], '0b 0c 0d 1a 1b 1c 1d'],
  [['EVAL x 1 a'], '0a 0b 0c 0d 1a 1b 1c 1d'],
  [['MOVE a 1'], '0a 0b 0c 0d 1a 1b 1c 1d'],
  [['PING', 'SPUBLISH a b'], '0a 0b 0c 0d 1a 1b 1c 1d'],
])("behind %j the keys %s are not the run's to remove", (commands, left) => {
  expect(sparedAfter(jobWithNames(), commands)).toBe(left);
});

test("what was found equal is as the source has it, and stays; what was rewritten is the run's, also for a later attempt", () => {
  const job = jobWithNames();
  const [a, b, c] = NAMES as [Buffer, Buffer, Buffer];
  const first = new KeysBefore(job, job.beforeFile ?? '', () => {});
  first.open();
  first.foundEqual(0, a);
  first.rewritten(0, b);
  expect([a, b, c].map((key) => first.isOwn(0, key))).toEqual([true, true, false]);
  first.close();
  expect(spared(job)).toBe('0a 0c 0d 1a 1b 1c 1d');
  const second = new KeysBefore({ ...job, attempt: 2 }, job.beforeFile ?? '', () => {});
  second.open();
  onTestFinished(() => second.close());
  expect([a, b, c].map((key) => second.isOwn(0, key))).toEqual([true, true, false]);
  expect([a, b, c].map((key) => second.isMissed(0, key))).toEqual([true, false, false]);
  second.foundEqual(0, a);
  expect(second.isMissed(0, a)).toBe(false);
});

test('a new run forgets what an earlier one had written; a SWAPDB leaves nothing that can be told', () => {
  const job = jobWithNames();
  sparedAfter(job, ['SET a 1']);
  expect(sparedAfter(job, [])).toBe('0a 0b 0c 0d 1a 1b 1c 1d');
  sparedAfter(job, ['SWAPDB 0 1'], false);
  expect(tellsOwnKeys(job)).toBe(true);
  const before = new KeysBefore(job, job.beforeFile ?? '', () => {});
  before.databasesSwapped();
  expect(tellsOwnKeys(job)).toBe(false);
});
