// What notify-keyspace-events means, held against a real server, and the messages that it sends, in any chunking.
import { describe, expect, it } from 'vitest';
import { ChangeMessages } from '../../../source/readers/scan/change-messages.ts';
import { globMatches } from '../../../source/readers/scan/glob.ts';
import { cursorShare } from '../../../source/readers/scan/key-scan.ts';
import { judgeFlags, sufficientFlags } from '../../../source/readers/scan/keyspace-flags.ts';
import { client } from '../../support/client.ts';
import { keyspaceEvents } from '../../support/scan.ts';
import { testServer } from '../../support/servers.ts';

describe('notify-keyspace-events', () => {
  it('is enough with a channel and every class, and says what is missing', () => {
    expect(judgeFlags('AKE')).toEqual({ enough: true, channel: 'keyevent', missing: '' });
    expect(judgeFlags('AK')).toMatchObject({ enough: true, channel: 'keyspace' });
    expect(judgeFlags('')).toMatchObject({ enough: false, channel: null });
    expect(judgeFlags('A').missing).toMatch(/^E or K/);
    expect(judgeFlags('KEg$').missing).toBe(
      'l (lists), s (sets), h (hashes), z (sorted sets), x (expired keys), e (evicted keys), t (streams)',
    );
  });

  it.each(['', 'K', 'E', 'KEg$', 'xE', 'A', 'KEm', 'AKE'])(
    'is made enough by adding only, from "%s"',
    async (before) => {
      const redis = client(await testServer());
      await redis.config('SET', 'notify-keyspace-events', before);
      const was = await keyspaceEvents(redis);
      await redis.config('SET', 'notify-keyspace-events', sufficientFlags(was));
      const now = await keyspaceEvents(redis);
      expect(judgeFlags(now).enough).toBe(true);
      for (const letter of was) expect(`${now}${now.includes('A') ? 'g$lshzxetd' : ''}`).toContain(letter);
      expect(sufficientFlags(now)).toBe(now);
    },
  );
});

describe('messages', () => {
  const wire = Buffer.from(
    [
      '*3\r\n$10\r\npsubscribe\r\n$18\r\n__keyevent@*__:*\r\n:1\r\n'.replace('$18', '$16'),
      '*4\r\n$8\r\npmessage\r\n$16\r\n__keyevent@*__:*\r\n$17\r\n__keyevent@11__:x\r\n$5\r\na:\r\nb\r\n',
      '>4\r\n$8\r\npmessage\r\n$16\r\n__keyspace@*__:*\r\n$18\r\n__keyspace@0__:k:e\r\n$3\r\nset\r\n',
      '>2\r\n$10\r\ninvalidate\r\n*2\r\n$1\r\np\r\n$1\r\nq\r\n',
      '>2\r\n$10\r\ninvalidate\r\n_\r\n',
      '*4\r\n$8\r\npmessage\r\n$16\r\n__keyevent@*__:*\r\n$22\r\n__keyevent@0__:keymiss\r\n$1\r\nz\r\n',
      '+PONG\r\n',
    ].join(''),
    'latin1',
  );

  it.each([1, 2, 3, 7, 64, 4096])('are read in chunks of %i bytes', (size) => {
    const seen: string[] = [];
    const messages = new ChangeMessages({
      key: (database, bytes, start, length) =>
        seen.push(`${database} ${bytes.toString('latin1', start, start + length)}`),
      flushed: () => seen.push('flushed'),
      reply: (_, text) => seen.push(text),
    });
    for (let at = 0; at < wire.length; at += size) messages.feed(Buffer.from(wire.subarray(at, at + size)));
    expect(seen).toEqual(['psubscribe', '11 a:\r\nb', '0 k:e', '-1 p', '-1 q', 'flushed', 'PONG']);
  });
});

describe('globs', () => {
  it('match as the server matches', async () => {
    const redis = client(await testServer());
    const names = ['a', 'ab', 'abc', 'a*c', 'b', 'key:1', 'key:12', 'k[y', 'x-y', ']', '^', 'aab', 'hello'];
    for (const name of names) await redis.set(name, '1');
    for (const glob of [
      '*',
      'a*',
      '*c',
      'a?c',
      'a\\*c',
      '[ab]',
      '[^a]',
      '[a-b]*',
      '*:1*',
      'k\\[y',
      'h*l*o',
      '[x]-y',
      'a*b',
      '?',
      '**b',
      '',
    ]) {
      const matched = names.filter((name) => globMatches(glob, Buffer.from(name), 0, name.length)).sort();
      const keys = glob === '' ? [] : (await redis.keys(glob)).sort();
      expect([glob, matched]).toEqual([glob, keys]);
    }
  });
});

it('a cursor tells how far the scan has come', async () => {
  const redis = client(await testServer());
  const fill = redis.pipeline();
  for (let i = 0; i < 5000; i++) fill.set(`key:${i}`, '1');
  await fill.exec();
  let seen = 0;
  for (let cursor = '0'; ; ) {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 200);
    cursor = next;
    seen += keys.length;
    if (cursor === '0') break;
    expect(Math.abs(cursorShare(BigInt(cursor), 5000, false) - seen / 5000)).toBeLessThan(0.06);
  }
});
