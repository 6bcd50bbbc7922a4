import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { encodeCommand } from '../../../source/protocol/resp-encode.ts';
import { RdbError } from '../../../source/rdb/rdb-error.ts';
import { ByteWindow } from '../../../source/readers/byte-window.ts';
import { AofStream } from '../../../source/readers/file/aof-stream.ts';
import { MemoryFiles } from './memory-files.ts';
import { readAof } from './read-aof.ts';

const select = ['SELECT', '0'];
const set = (key: string, value: string) => ['SET', key, value];
const bytesOf = (...parts: readonly (string | readonly string[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : encodeCommand(part))));

const timestamp = (seconds: number) => `#TS:${seconds}\r\n`;
const block = [['MULTI'], set('in', 'block'), ['EXEC']];
/** The smallest RDB: its magic, its end, no checksum. */
const RDB = Buffer.from('REDIS0010\xff\0\0\0\0\0\0\0\0', 'latin1');

const base = bytesOf(timestamp(1_700_000_000), select, set('a', 'va\r\n*1\r\nlue'));
const last = bytesOf(select, set('b', ''), timestamp(1_700_000_001), '# a comment\r\n', ...block, ['multi'], ['exec']);
const allEvents = [select, set('a', 'va\r\n*1\r\nlue'), 'file', select, set('b', ''), ...block, ['multi'], ['exec']];

describe('AofStream', () => {
  it('reads the same from several files whatever the pieces', () => {
    for (let pieceBytes = 1; pieceBytes <= last.length; pieceBytes++) {
      const { events, end, timestampMs } = readAof([base, last], { pieceBytes });
      expect(events).toEqual(allEvents);
      expect(end).toEqual({ kind: 'clean', file: 'file1', offset: last.length, message: null, error: null });
      expect(timestampMs).toBe(1_700_000_001_000);
    }
  });

  it('tells of an RDB at the head of a file and goes on behind it', () => {
    const file = Buffer.concat([RDB, bytesOf(set('b', '2'))]);
    for (let pieceBytes = 1; pieceBytes <= file.length; pieceBytes++) {
      const { events, end } = readAof([file, Buffer.alloc(0), last], { pieceBytes, preambleBytes: RDB.length });
      expect(events.slice(0, 4)).toEqual(['preamble', set('b', '2'), 'file', 'file']);
      expect(end.kind).toBe('clean');
    }
    expect(readAof([RDB], { preambleBytes: RDB.length }).end).toMatchObject({ kind: 'clean', offset: RDB.length });
  });

  it('takes empty files', () => {
    expect(readAof([Buffer.alloc(0)])).toMatchObject({ events: [], end: { kind: 'clean', offset: 0 } });
    expect(readAof([Buffer.alloc(0), base, Buffer.alloc(0)]).events).toEqual(['file', select, allEvents[1], 'file']);
  });
});

describe('a cut', () => {
  const parts: readonly (string | readonly string[])[] = [
    select,
    set('b', ''),
    timestamp(1_700_000_001),
    '# a comment\r\n',
    ...block,
    ['multi'],
    ['exec'],
  ];

  /** What has to come of the first `length` bytes. */
  function expected(length: number): { commands: number; offset: number; kind: string } {
    let commands = 0;
    let at = 0;
    let good = 0;
    let inside = false;
    for (const part of parts) {
      const end = at + bytesOf(part).length;
      const isCommand = typeof part !== 'string';
      if (end > length && isCommand) {
        return {
          commands,
          offset: good,
          kind: inside ? 'unfinished-transaction' : at === length ? 'clean' : 'truncated',
        };
      }
      if (isCommand) commands++;
      if (isCommand && part.length === 1) inside = /multi/i.test(part[0] ?? '');
      at = Math.min(end, length);
      if (!inside) good = at;
    }
    return { commands, offset: good, kind: 'clean' };
  }

  it('at every byte of the last file keeps all commands and blocks that are whole', () => {
    expect(bytesOf(...parts)).toEqual(last);
    const kinds = new Set<string>();
    for (let length = 0; length <= last.length; length++) {
      const { commands, offset, kind } = expected(length);
      for (const pieceBytes of [1, 7, 1000]) {
        const { events, end } = readAof([base, last.subarray(0, length)], { pieceBytes });
        expect(end).toMatchObject({ kind, file: 'file1', offset, error: null });
        expect(events).toEqual(allEvents.slice(0, 3 + commands));
        if (kind === 'clean') expect(end.message).toBeNull();
        else expect(end.message).toMatch(/^file1 ends (in the middle of a command|inside a transaction)/);
      }
      kinds.add(kind);
    }
    expect([...kinds].sort()).toEqual(['clean', 'truncated', 'unfinished-transaction']);
  });

  it('in a file that others follow is an error at the same place', () => {
    for (let length = 0; length < last.length; length++) {
      const alone = readAof([last.subarray(0, length)]).end;
      const { events, end } = readAof([last.subarray(0, length), base]);
      if (alone.kind === 'clean') {
        expect(end.kind).toBe('clean');
        continue;
      }
      expect(end).toMatchObject({ kind: alone.kind, file: 'file0', offset: alone.offset });
      expect(end.error).toMatchObject({ code: 'aof', message: end.message });
      expect(end.message).toContain('although other files follow');
      expect(events).not.toContain('file');
    }
  });

  it('in the RDB is an error, as it is for a server', () => {
    const { end } = readAof([RDB.subarray(0, 12)], { preambleBytes: RDB.length });
    expect(end).toMatchObject({ kind: 'truncated', error: { code: 'aof' } });
    expect(end.message).toMatch(/ends in the middle of its RDB/);
  });

  it('or anything else that the snapshot parser stumbles over is told with its words', () => {
    const window = new ByteWindow();
    const files = new MemoryFiles([Buffer.concat([RDB, base])], 1000);
    const aof = new AofStream(window, files, { commandBytes: 1000 }, null);
    expect(aof.next()).toBe('hungry');
    window.fill(files);
    expect(aof.next()).toBe('preamble');
    window.start += 9;
    aof.endInPreamble(new RdbError('The unknown opcode 200 stands', 9));
    expect(aof.next()).toBe('end');
    expect(aof.end).toMatchObject({ kind: 'broken', offset: 9, error: { code: 'aof' } });
    expect(aof.end?.message).toContain(
      'file0 can not be read: The unknown opcode 200 stands at byte 9 of the snapshot.',
    );
  });

  it('in a command that was too large to hold is at its beginning', () => {
    const big = bytesOf(set('big', 'x'.repeat(300_000)));
    const { events, end } = readAof([Buffer.concat([base, big.subarray(0, 200_000)])], {
      commandBytes: 1000,
      pieceBytes: 4096,
    });
    expect(events).toHaveLength(2);
    expect(end).toMatchObject({ kind: 'truncated', offset: base.length });
    expect(readAof([Buffer.concat([big, base])], { commandBytes: 1000, pieceBytes: 4096 }).events[0]).toBe('oversized');
  });
});

describe('a stop time', () => {
  const file = bytesOf(timestamp(10), set('a', '1'), timestamp(11), ['MULTI'], timestamp(12), set('b', '2'), ['EXEC']);
  test.each([
    [9_999, 0, 0],
    [10_000, 1, bytesOf(timestamp(10), set('a', '1')).length],
    [10_999, 1, bytesOf(timestamp(10), set('a', '1')).length],
    // The block goes on behind it, so it does not stand.
    [11_000, 2, bytesOf(timestamp(10), set('a', '1'), timestamp(11)).length],
  ])('of %i ms', (untilMs, commands, offset) => {
    for (let pieceBytes = 1; pieceBytes < 40; pieceBytes++) {
      const { events, end } = readAof([file, base], { untilMs, pieceBytes });
      expect(events).toHaveLength(commands);
      expect(end).toMatchObject({ kind: 'stopped', file: 'file0', offset, error: null });
      expect(end.message).toMatch(/goes on at 1970-01-01T00:00:1[0-2].000Z, after the stop time/);
    }
  });

  it('later than everything changes nothing', () => {
    expect(readAof([file], { untilMs: 12_000 }).end.kind).toBe('clean');
  });

  it('wants timestamps that are numbers', () => {
    const odd = bytesOf('#TS:abc\r\n', set('a', '1'));
    expect(readAof([odd]).events).toEqual([set('a', '1')]);
    expect(readAof([odd], { untilMs: 1 }).end).toMatchObject({ kind: 'broken', offset: 0 });
  });
});

describe('broken bytes', () => {
  test.each([
    ['a command that is none', bytesOf(select, 'GET a\r\n', select), 23, 'holds "GET a??*2??$6??SELEC" at byte 23'],
    ['a bare newline', bytesOf(select, '\n', select), 23, 'holds "?*2??$6??SELECT??$1?" at byte 23'],
    ['a length that is too short', bytesOf(select, '*2\r\n$3\r\nGET\r\n$1\r\nab\r\n'), 23, 'holds "b??" at byte 41'],
    ['a length that is too long', bytesOf(select, '*1\r\n$5\r\nPING\r\n', select), 23, 'at byte 36'],
    ['no arguments', bytesOf(select, '*0\r\n', select), 23, 'holds "*0??*2??$6??SELECT??" at byte 23'],
    ['a count that is none', bytesOf(select, '*x\r\n'), 23, 'holds "x??" at byte 24'],
    ['no digits', bytesOf(select, '*1\r\n$\r\n\r\n'), 23, 'at byte 28'],
    ['a line end without its line feed', bytesOf(select, '*1\rX$4\r\nPING\r\n'), 23, 'at byte 26'],
    ['text line ends', bytesOf('*1\n$4\nPING\n'), 0, 'a line end without a carriage return at byte 2'],
    ['a second RDB', bytesOf(select, RDB.toString('latin1')), 23, 'holds "REDIS0010?'],
    ['an endless annotation', bytesOf(select, `#${'x'.repeat(1100)}\r\n`), 23, 'holds "#xxx'],
  ])('%s', (_, file, offset, message) => {
    for (const pieceBytes of [1, 3, 1000]) {
      const { events, end } = readAof([file, base], { pieceBytes });
      expect(events.filter((event) => event !== 'file')).toHaveLength(offset === 0 ? 0 : 1);
      expect(end).toMatchObject({ kind: 'broken', file: 'file0', offset, error: { code: 'aof' } });
      if (pieceBytes === 1000) expect(end.message).toContain(message);
      expect(end.message).toContain(`Everything before byte ${offset} of it was read`);
    }
  });

  it('inside a block leave the block out', () => {
    const { end } = readAof([bytesOf(select, ['MULTI'], set('a', '1'), 'oops')]);
    expect(end).toMatchObject({ kind: 'broken', offset: 23 });
    expect(end.message).toContain('holds "oops" at byte 65');
  });

  it('with enormous counts take neither time nor memory', () => {
    for (const text of [
      '*2000000000\r\n$1\r\na\r\n',
      '*9999999999999999999\r\n',
      '*1\r\n$9999999999999999999\r\nabc',
    ]) {
      const { end } = readAof([bytesOf(select, text)]);
      expect(end).toMatchObject({ kind: 'truncated', offset: 23 });
    }
    for (const text of [`*${'1'.repeat(3_000_000)}`, `*1\r\n$${'0'.repeat(3_000_000)}`]) {
      expect(readAof([bytesOf(select, text)], { pieceBytes: 65_536 }).end).toMatchObject({
        kind: 'broken',
        offset: 23,
      });
    }
  });

  it('of any kind end the reading and never more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(base.length + last.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 64 }),
        (changes, pieceBytes) => {
          const whole = Buffer.concat([base, last]);
          for (const [at, byte] of changes) whole[at] = byte;
          const { events, end } = readAof([whole.subarray(0, base.length), whole.subarray(base.length)], {
            pieceBytes,
          });
          expect(events.length).toBeLessThanOrEqual(allEvents.length + 2);
          // What is said to stand does: read by itself it ends cleanly, and gives the same.
          const file = end.file === 'file0' ? whole.subarray(0, base.length) : whole.subarray(base.length);
          if (end.kind === 'broken' && file.toString('latin1', 0, 5) === 'REDIS') return;
          expect(readAof([file.subarray(0, end.offset)]).end.kind).toBe('clean');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
