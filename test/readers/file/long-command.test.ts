import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../../../source/protocol/resp-encode.ts';
import { ByteWindow } from '../../../source/readers/byte-window.ts';
import { StreamParser } from '../../../source/readers/stream-parser.ts';
import { MemoryFiles } from './memory-files.ts';
import { argumentsOf } from './read-aof.ts';

function parser(bytes: Buffer, pieceBytes: number, commandBytes = 1 << 28) {
  const window = new ByteWindow();
  const files = new MemoryFiles([bytes], pieceBytes);
  const stream = new StreamParser(window, { commandBytes });
  const next = () => {
    for (;;) {
      const status = stream.next();
      if (status !== 'hungry' || window.fill(files) === 0) return status;
    }
  };
  return { stream, next };
}

describe('StreamParser', () => {
  it('looks at a long command once, however many pieces it comes in', () => {
    const elements = Array.from({ length: 1_000_000 }, (_, i) => String(i));
    const command = ['RPUSH', 'list', ...elements];
    const bytes = Buffer.concat([encodeCommand(['PING']), encodeCommand(command), encodeCommand(['PING'])]);
    const begun = performance.now();
    // Each piece is a look: from the beginning each time these would be 13,000 looks at 6.5 MB on average.
    const { stream, next } = parser(bytes, 1000);
    expect(next()).toBe('command');
    expect(next()).toBe('command');
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(stream.count).toBe(command.length);
    expect(argumentsOf(stream).join()).toBe(command.join());
    expect(next()).toBe('command');
    expect(argumentsOf(stream)).toEqual(['PING']);
  });

  it('names a command that grows too large after several looks', () => {
    const bytes = encodeCommand(['HSET', 'hash', ...Array.from({ length: 5000 }, () => 'x'.repeat(50)), 'PING']);
    const { stream, next } = parser(Buffer.concat([bytes, encodeCommand(['PING'])]), 333, 100_000);
    expect(next()).toBe('oversized');
    expect(stream.oversizedName.map(String)).toEqual(['HSET', 'hash', 'x'.repeat(50)]);
    expect(next()).toBe('command');
    expect(argumentsOf(stream)).toEqual(['PING']);
  });

  it('does not name an argument that is not there', () => {
    const { stream, next } = parser(Buffer.from('*2\r\n$3\r\nSET\r\n$4294967301\r\nabc'), 10, 1000);
    expect(next()).toBe('hungry');
    expect(stream.oversizedName.map(String)).toEqual(['SET']);
    expect(stream.insideCommand).toBe(true);
  });
});
