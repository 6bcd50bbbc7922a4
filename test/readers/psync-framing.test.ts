import { describe, expect, it } from 'vitest';
import { PsyncFraming } from '../../source/readers/psync-framing.ts';

const MARK = 'a1b2c3d4e5f6a7b8c9d0a1b2c3d4e5f6a7b8c9d0';
const REPLID = '0123456789abcdef0123456789abcdef01234567';

/** Feeds the text in pieces of that many bytes and notes what came of it. */
function run(text: string, pieceBytes: number): { events: string[]; bytes: string } {
  const events: string[] = [];
  let bytes = '';
  const framing = new PsyncFraming({
    replied: (line) => {
      events.push(`reply ${line}`);
      return line.startsWith('+FULLRESYNC') ? 'snapshot' : 'stream';
    },
    heartbeat: () => events.push('heartbeat'),
    snapshotBegins: ({ kind, bytes: total }) => events.push(`${kind} ${total}`),
    bytes: (view) => {
      bytes += view.toString('latin1');
      return true;
    },
    snapshotReceived: () => events.push(`received ${bytes.length}`),
  });
  const whole = Buffer.from(text, 'latin1');
  for (let at = 0; at < whole.length; at += pieceBytes) framing.feed(whole.subarray(at, at + pieceBytes));
  return { events, bytes };
}

describe('PsyncFraming', () => {
  it('cuts a counted snapshot from its stream, in any split', () => {
    const text = `\n\n+FULLRESYNC ${REPLID} 77\r\n\n\n$5\r\nREDIS*1\r\n$4\r\nPING\r\n`;
    for (let piece = 1; piece <= text.length; piece++) {
      const { events, bytes } = run(text, piece);
      expect(events.filter((event) => event !== 'heartbeat')).toEqual([
        `reply +FULLRESYNC ${REPLID} 77`,
        'disk 5',
        'received 5',
      ]);
      expect(events.filter((event) => event === 'heartbeat')).toHaveLength(4);
      expect(bytes).toBe('REDIS*1\r\n$4\r\nPING\r\n');
    }
  });

  it('finds the end mark of a diskless snapshot across any border, and not inside a value', () => {
    const body = `REDIS${MARK}middle`;
    const head = `+FULLRESYNC ${REPLID} 1\r\n$EOF:${MARK}\r\n`;
    for (let piece = 1; piece < 60; piece++) {
      // A piece that happens to end with the bytes of the mark inside the value would be taken for the end by any
      // receiver; servers choose a mark of 40 random characters so that no value holds it.
      const { events } = run(`${head}${body.replace(MARK, MARK.slice(1))}${MARK}`, piece);
      expect(events.at(-1)).toBe(`received ${body.length - 1 + MARK.length}`);
    }
    const { events } = run(`${head}${body}${MARK}`, 4096);
    expect(events.at(-1)).toBe(`received ${body.length + MARK.length}`);
  });

  it('goes on with the stream at once after +CONTINUE', () => {
    const { events, bytes } = run(`+CONTINUE ${REPLID}\r\n*1\r\n$4\r\nPING\r\n`, 7);
    expect(events).toEqual([`reply +CONTINUE ${REPLID}`]);
    expect(bytes).toBe('*1\r\n$4\r\nPING\r\n');
  });

  it('says what it got instead of a frame', () => {
    expect(() => run(`+FULLRESYNC ${REPLID} 1\r\n-ERR no\r\n`, 100)).toThrow('The source sent "-ERR no" where');
  });
});
