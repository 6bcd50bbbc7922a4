// The comparer's own reply reader: the same replies wherever the bytes are cut, and the slot of a key against a server's.

import { expect, test } from 'vitest';
import { keySlot } from '../../source/validation/key-slot.ts';
import { type Reply, ReplyError, RespReader } from '../../source/validation/resp-reader.ts';

const WIRE = Buffer.from(
  '+OK\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*0\r\n-ERR no\r\n*2\r\n*2\r\n:1\r\n$0\r\n\r\n$1\r\nz\r\n',
);
const REPLIES = ['OK', -42, 'a\r\nbc', null, null, [], 'error ERR no', [[1, ''], 'z']];

type Plain = string | number | null | Plain[];

function plain(reply: Reply): Plain {
  if (reply instanceof ReplyError) return `error ${reply.message}`;
  if (Buffer.isBuffer(reply)) return reply.toString();
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

test('replies are the same wherever the bytes are cut', () => {
  for (let size = 1; size <= WIRE.length; size++) {
    const found: Plain[] = [];
    const reader = new RespReader((reply) => found.push(plain(reply)));
    for (let from = 0; from < WIRE.length; from += size) reader.push(WIRE.subarray(from, from + size));
    expect(found, `cut every ${size} bytes`).toEqual(REPLIES);
  }
});

test('what is no reply is an error', () => {
  const reader = new RespReader(() => {});
  expect(() => reader.push(Buffer.from('?5\r\n'))).toThrow('byte 63');
});

// From the cluster specification and CLUSTER KEYSLOT of 7.0.15.
test.each([
  ['123456789', 12_739],
  ['foo', 12_182],
  ['{user1000}.following', 3443],
  ['foo{}{bar}', 8363],
  ['foo{{bar}}zap', 4015],
  ['', 0],
])('the slot of %j is %i', (key, slot) => {
  expect(keySlot(Buffer.from(key))).toBe(slot);
});
