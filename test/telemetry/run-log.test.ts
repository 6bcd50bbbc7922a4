// The log on a full disk, and what it says of keys.
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LogFile } from '../../source/telemetry/log-file.ts';
import { openRunLog } from '../../source/telemetry/run-log.ts';

function logPath(): string {
  const directory = mkdtempSync(join(tmpdir(), 'redferry-log-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'run.log');
}

const noTrouble = (): void => {};
const NOTICE = { id: 1, timeMs: 0, level: 'warn', shard: 'shard-0' } as const;
const REFUSAL = { shard: 'shard-0', database: 0, command: 'SET', reason: 'OOM' } as const;

describe('a disk without room', () => {
  /** A disk that takes so many bytes and no more. */
  function disk(room: number) {
    const taken: Buffer[] = [];
    let left = room;
    return {
      text: () => Buffer.concat(taken).toString(),
      grow: (bytes: number) => {
        left += bytes;
      },
      write: (_: number, bytes: Uint8Array): number => {
        if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        const part = Buffer.from(bytes.subarray(0, left));
        taken.push(part);
        left -= part.length;
        return part.length;
      },
    };
  }

  it('keeps what did not fit, says so once, and writes it in order when there is room', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const told: (string | null)[] = [];
    const small = disk(10);
    const log = new LogFile({ path: logPath(), trouble: (sentence) => told.push(sentence), write: small.write });
    for (const word of ['one', 'two', 'three', 'four']) log.write(`${word}\n`);
    expect(small.text()).toBe('one\ntwo\nth');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/no space left on device.*make room.*The run goes on/);
    vi.advanceTimersByTime(3000);
    expect(told).toHaveLength(1);
    small.grow(1000);
    vi.advanceTimersByTime(1000);
    expect(small.text()).toBe('one\ntwo\nthree\nfour\n');
    expect(told.at(-1)).toBeNull();
    log.write('five\n');
    log.close();
    expect(small.text()).toBe('one\ntwo\nthree\nfour\nfive\n');
  });

  it('keeps no more than fits into memory, and tells how many lines are lost', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const full = disk(0);
    const log = new LogFile({ path: logPath(), trouble: noTrouble, write: full.write });
    const line = `${'x'.repeat(1023)}\n`;
    for (let i = 0; i < 1500; i++) log.write(line);
    full.grow(10_000_000);
    vi.advanceTimersByTime(1000);
    const lines = full.text().trimEnd().split('\n');
    expect(lines.length).toBe(1024 + 1);
    expect(lines.at(-1)).toContain('476 lines were lost');
    log.close();
  });

  it('a real one that is full does not throw', () => {
    const told: (string | null)[] = [];
    const log = openRunLog('/dev/full', { level: 'info', keys: 'plain', trouble: (sentence) => told.push(sentence) });
    for (let i = 0; i < 3; i++) log.notice({ ...NOTICE, message: 'something' });
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('ENOSPC');
    log.close();
  });

  it('a file that can not be opened is an error that names the setting', () => {
    // Below a file there is no room for a folder.
    expect(() => openRunLog('/dev/null/log', { level: 'info', keys: 'plain', trouble: noTrouble })).toThrow(
      /log\.file/,
    );
  });
});

describe('key names', () => {
  const HASH = 'sha256:2bd806c97f0e00af';

  function logged(keys: 'plain' | 'hash'): string {
    const path = logPath();
    const log = openRunLog(path, { level: 'info', keys, trouble: noTrouble });
    log.refusals([{ ...REFUSAL, key: 'alice' }]);
    log.notice({ ...NOTICE, message: 'SET of key "alice" (database 0) was refused: malice' });
    log.close();
    return readFileSync(path, 'utf8');
  }

  it('stand there as they are', () => {
    expect(logged('plain').match(/\balice\b/g)).toHaveLength(2);
  });

  it('are hashed on demand, each always to the same', () => {
    const text = logged('hash');
    expect(text).not.toMatch(/\balice\b/);
    expect(text.split(HASH)).toHaveLength(3);
    expect(text).toContain('was refused: malice');
  });

  it('are for the eyes of the owner alone', () => {
    const path = logPath();
    openRunLog(path, { level: 'info', keys: 'plain', trouble: noTrouble }).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });
});
