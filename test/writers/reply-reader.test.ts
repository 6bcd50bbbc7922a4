import { describe, expect, it } from 'vitest';
import { ReplyReader } from '../../source/writers/reply-reader.ts';

function read(text: string, pieceBytes: number): string[] {
  const told: string[] = [];
  let successes = 0;
  const flush = (): void => {
    if (successes > 0) told.push(`ok ${successes}`);
    successes = 0;
  };
  const reader = new ReplyReader({
    succeeded: (count) => {
      successes += count;
    },
    failed: (error) => {
      flush();
      told.push(`error ${error}`);
    },
    nothing: () => {
      flush();
      told.push('nothing');
    },
    zeros: (elements) => {
      flush();
      told.push(`zeros ${elements.join(' ')}`);
    },
    partlyFailed: (errors) => {
      flush();
      told.push(`partly ${errors.map(({ index, text }) => `${index} ${text}`).join('|')}`);
    },
  });
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.feed(bytes.subarray(at, at + pieceBytes));
  flush();
  return told;
}

describe('ReplyReader', () => {
  const replies =
    '+OK\r\n+OK\r\n:12\r\n-OOM no memory\r\n$-1\r\n$5\r\nab\r\nc\r\n+QUEUED\r\n' +
    '*3\r\n:1\r\n-WRONGTYPE no\r\n*2\r\n$-1\r\n$1\r\nx\r\n*0\r\n+OK\r\n*2\r\n+OK\r\n*1\r\n:7\r\n';

  it('counts and points the same way in any split', () => {
    for (let piece = 1; piece <= replies.length; piece++) {
      expect(read(replies, piece)).toEqual([
        'ok 3',
        'error OOM no memory',
        'nothing',
        'ok 2',
        'partly 1 WRONGTYPE no',
        'ok 3',
      ]);
    }
  });

  it('points at zeros of blocks in any split, not at those inside of their elements', () => {
    const blocks = ':0\r\n*4\r\n:0\r\n:10\r\n*2\r\n:0\r\n:1\r\n:0\r\n*2\r\n:0\r\n-ERR no\r\n';
    for (let piece = 1; piece <= blocks.length; piece++) {
      expect(read(blocks, piece)).toEqual(['ok 1', 'zeros 0 3', 'ok 1', 'zeros 0', 'partly 1 ERR no']);
    }
  });

  it('refuses what is no reply', () => {
    expect(() => read('hello\r\n', 100)).toThrow('no reply begins with "hello"');
  });
});
