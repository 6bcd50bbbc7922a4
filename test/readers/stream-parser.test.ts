import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { StreamParser } from '../../source/readers/stream-parser.ts';

/** Parses the bytes in pieces and gives each command's arguments; an oversized one as `oversized` and its first. */
function parse(bytes: Buffer, pieceBytes: number, commandBytes = 1 << 20): string[][] {
  const window = new ByteWindow();
  const parser = new StreamParser(window, { commandBytes });
  const commands: string[][] = [];
  let given = 0;
  const source = {
    read(into: Uint8Array, offset: number, length: number): number {
      const count = Math.min(pieceBytes, length, bytes.length - given);
      into.set(bytes.subarray(given, given + count), offset);
      given += count;
      return count;
    },
  };
  for (;;) {
    const status = parser.next();
    if (status === 'command') {
      commands.push(
        Array.from({ length: parser.count }, (_, i) => {
          const start = parser.offsets[i] ?? 0;
          return parser.bytes.toString('latin1', start, start + (parser.lengths[i] ?? 0));
        }),
      );
    } else if (status === 'oversized') {
      commands.push(['oversized', ...parser.oversizedName.map(String)]);
    } else if (window.fill(source) === 0) {
      expect(window.length).toBe(0);
      return commands;
    }
  }
}

describe('StreamParser', () => {
  const commands = [['SELECT', '3'], ['SET', 'key', 'va\r\nlue'], ['PING'], ['MSET', ...'abcdefgh'], ['SET', '', '']];
  const bytes = Buffer.concat([...commands.map((command) => encodeCommand(command)), Buffer.from('\n')]);

  it('reads the same commands whatever the pieces', () => {
    for (let piece = 1; piece <= bytes.length; piece++) expect(parse(bytes, piece)).toEqual(commands);
  });

  it('takes more arguments than its first arrays hold', () => {
    const many = ['RPUSH', 'list', ...Array.from({ length: 5000 }, (_, i) => String(i))];
    expect(parse(encodeCommand(many), 999)).toEqual([many]);
  });

  it('passes over a command above the limit and reads on behind it', () => {
    const big = encodeCommand(['SET', 'big', 'x'.repeat(3_000_000), 'KEEPTTL']);
    const all = Buffer.concat([big, encodeCommand(['SET', 'a', '1'])]);
    for (const piece of [1000, 65_536, 1_000_000]) {
      expect(parse(all, piece, 1_000_000).map((command) => command.slice(0, 3))).toEqual([
        ['oversized', 'SET', 'big'],
        ['SET', 'a', '1'],
      ]);
    }
  });

  it('names what is no command', () => {
    expect(() => parse(Buffer.from('+OK\r\n'), 100)).toThrow('holds "+OK??" where a command should begin');
    expect(() => parse(Buffer.from('*1\r\n$x\r\n'), 100)).toThrow('where a command should begin');
  });
});
