import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpiryHold, exactExpiry, HOLD_MS, isHeld } from '../../source/protocol/held-expiry.ts';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { StreamParser } from '../../source/readers/stream-parser.ts';

const EVERYTHING = { keys: true, fields: true };

/** The command as it goes on, and whether it is another one. */
function held(
  text: string,
  what = EVERYTHING,
): { readonly text: string; readonly copied: boolean; readonly count: number } {
  const hold = new ExpiryHold(what);
  const bytes = encodeCommand(text.split(' '));
  const parser = new StreamParser(new ByteWindow(bytes), { commandBytes: bytes.length });
  parser.next();
  const instead = hold.command(parser);
  const after = (instead ?? bytes).toString().split('\r\n');
  // Behind the count: each argument behind its length.
  const words = after.slice(1).filter((_, index) => index % 2 === 1);
  const [lengths] = [after.slice(1, -1).filter((_, index) => index % 2 === 0)];
  expect(lengths).toEqual(words.slice(0, lengths.length).map((word) => `$${Buffer.byteLength(word)}`));
  expect(after[0]).toBe(`*${lengths.length}`);
  return { text: words.slice(0, lengths.length).join(' '), copied: instead !== null, count: hold.count };
}

describe('what a stream sets', () => {
  it.each([
    ['SET k v PXAT 1795261136526', 'SET k v PXAT 9795261136526'],
    ['set k v pxat 1795261136526', 'set k v pxat 9795261136526'],
    ['SET k v EXAT 1795261136 GET', 'SET k v EXAT 9795261136 GET'],
    ['PEXPIREAT k 1795261136526', 'PEXPIREAT k 9795261136526'],
    ['EXPIREAT k 1795261136', 'EXPIREAT k 9795261136'],
    ['HPEXPIREAT h 1795261136526 FIELDS 2 a b', 'HPEXPIREAT h 9795261136526 FIELDS 2 a b'],
    ['HEXPIREAT h 1795261136 FIELDS 1 a', 'HEXPIREAT h 9795261136 FIELDS 1 a'],
    // Valkey 9 sends the fields that the condition kept out too: the target has to look itself.
    ['HPEXPIREAT h 1795261136526 gt FIELDS 2 a b', 'HPEXPIREAT h 9795261136526 gt FIELDS 2 a b'],
    [
      'HSETEX h PXAT 1795261136526 FIELDS 1 pxat 1795261136526',
      'HSETEX h PXAT 9795261136526 FIELDS 1 pxat 1795261136526',
    ],
    ['HSETEX h FXX PXAT 1795261136526 FIELDS 1 a b', 'HSETEX h FXX PXAT 9795261136526 FIELDS 1 a b'],
    ['MSETEX 1 pxat 1 PXAT 1795261136526', 'MSETEX 1 pxat 1 PXAT 9795261136526'],
    ['RESTORE k 1795261136526 payload REPLACE ABSTTL', 'RESTORE k 9795261136526 payload REPLACE ABSTTL'],
    ['RESTORE-ASKING k 1795261136526 payload ABSTTL', 'RESTORE-ASKING k 9795261136526 payload ABSTTL'],
  ])('%s is changed in its place', (from, to) => {
    expect(held(from)).toEqual({ text: to, copied: false, count: 1 });
  });

  it.each([
    ['PEXPIREAT k 999', 'PEXPIREAT k 8000000000999'],
    ['PEXPIREAT k -5', 'PEXPIREAT k 8000000000001'],
    ['PEXPIREAT k 2000000000000', 'PEXPIREAT k 10000000000000'],
    ['SET k v PXAT 9999999999999', 'SET k v PXAT 17999999999999'],
    ['EXPIREAT k 99999999999', 'EXPIREAT k 107999999999'],
    ['PEXPIREAT k 1795261136526 GT', 'PEXPIREAT k 9795261136526'],
    ['PEXPIREAT k 1795261136526 xx lt', 'PEXPIREAT k 9795261136526'],
    ['HPEXPIREAT h 1795261136526 NX FIELDS 1 a', 'HPEXPIREAT h 9795261136526 FIELDS 1 a'],
  ])('%s is written anew', (from, to) => {
    expect(held(from)).toEqual({ text: to, copied: true, count: 1 });
  });

  it.each([
    'SET k v',
    'SET pxat 1795261136526 KEEPTTL XX',
    'SET k pxat',
    'GET k v PXAT 1795261136526',
    'PERSIST k',
    'DEL expireat 1795261136526',
    'RESTORE k 0 payload ABSTTL',
    'HSETEX h KEEPTTL FIELDS 2 PXAT 1795261136526 a b',
    'MSETEX 2 pxat 1795261136526 exat 1795261136 NX',
    'MSETEX 1 pxat 1795261136526',
    'PEXPIREAT k soon',
    'PEXPIREAT k',
  ])('%s goes on as it is', (text) => {
    expect(held(text)).toEqual({ text, copied: false, count: 0 });
  });

  it('leaves keys alone where the target keeps them itself, but for the condition', () => {
    const fieldsOnly = { keys: false, fields: true };
    expect(held('SET k v PXAT 1795261136526', fieldsOnly)).toMatchObject({
      text: 'SET k v PXAT 1795261136526',
      count: 0,
    });
    expect(held('PEXPIREAT k 1795261136526 GT', fieldsOnly)).toMatchObject({
      text: 'PEXPIREAT k 1795261136526',
      count: 0,
    });
    expect(held('HPEXPIREAT h 1795261136526 FIELDS 1 a', fieldsOnly)).toMatchObject({ count: 1 });
  });
});

it('moves every time by the same span, and back', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 46 }), (expiresAtMs) => {
      const { text } = held(`PEXPIREAT k ${expiresAtMs}`);
      expect(text).toBe(`PEXPIREAT k ${expiresAtMs + HOLD_MS}`);
      expect(isHeld(expiresAtMs + HOLD_MS)).toBe(true);
      expect(exactExpiry(expiresAtMs + HOLD_MS)).toBe(expiresAtMs);
    }),
  );
});
