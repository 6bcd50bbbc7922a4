import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { FerryError } from '../../../source/engine/errors.ts';
import { parseManifest } from '../../../source/readers/file/aof-manifest.ts';

const parse = (text: string) => parseManifest(Buffer.from(text, 'latin1'), 'dir/a.manifest');
const BASE = 'file a.1.base.rdb seq 1 type b\n';

describe('parseManifest', () => {
  test.each([
    ['base and incremental files', `${BASE}file a.1.incr.aof seq 1 type i\nfile a.4.incr.aof seq 4 type i\n`, 2],
    ['history, which is not read', `${BASE}file a.0.base.rdb seq 9 type h\nfile a.2.incr.aof seq 2 type i\n`, 1],
    ['comments', `#\n# hello\n${BASE}# cut comment`, 0],
    ['any order, case and space', 'TYPE b\tSeq 1 FILE  a.1.base.rdb \r\n', 0],
    ['pairs of newer servers', 'file a.1.base.rdb seq 1 type b startoffset 12 endoffset "3 4"\n', 0],
    ['what atoll and a first letter make of it', 'file a.1.base.rdb seq +1x type base\n', 0],
  ])('takes %s', (_, text, incremental) => {
    const manifest = parse(text);
    expect(manifest.base).toBe('a.1.base.rdb');
    expect(manifest.incremental).toHaveLength(incremental);
  });

  it('takes a set without a base, and none at all', () => {
    expect(parse('file a seq 1 type i\n')).toEqual({ base: null, incremental: ['a'] });
    expect(parse('# nothing yet\n')).toEqual({ base: null, incremental: [] });
  });

  test.each([
    ['"a b.aof"', 'a b.aof'],
    ['"a\\"\\x41\\n\\q.aof"', 'a"A\nq.aof'],
    ["'it\\'s \"a\".aof'", 'it\'s "a".aof'],
    ['"\\xc3\\xa4.aof"', 'ä.aof'],
    ['\xc3\xa4.aof', 'ä.aof'],
    ['a"b c"', 'ab c'],
  ])('unquotes %s', (written, name) => {
    expect(parse(`file ${written} seq 1 type i\n`).incremental).toEqual([name]);
  });

  const long = `file ${'n'.repeat(1024)} seq 1 type i\n`;
  test.each([
    ['', /^The AOF manifest dir\/a.manifest is empty\.$/],
    [`${BASE}\n`, /in line 2: it is not made of pairs/],
    ['\n', /in line 1: it is not made of pairs/],
    [`${BASE}${BASE}`, /in line 2: it names a second base file \(a.1.base.rdb\), the first is a.1.base.rdb/],
    ['file b seq 2 type i\nfile a seq 1 type i\n', /in line 2: the sequence number 1 does not follow 2/],
    ['file b seq 2 type i\nfile a seq 2 type i\n', /does not follow 2/],
    ['file b seq -1 type i\n', /-1 does not follow 0/],
    ['file b seq 0 type b\n', /needs a name, a sequence number other than 0 and a type/],
    ['file b seq x type b\n', /needs a name, a sequence number other than 0 and a type/],
    ['filx a seq 1 type b\n', /needs a name/],
    ['file "" seq 1 type b\n', /needs a name/],
    ['file a type i\n', /not made of pairs/],
    ['file a seq 1 type i newkey\n', /not made of pairs/],
    ['file a seq 1 type x\n', /in line 1: a file of type x is not known/],
    ['file ../a seq 1 type b\n', /the file is a path/],
    ['file a\\b seq 1 type b\n', /the file is a path/],
    ['file "a seq 1 type b\n', /its quotes are not closed/],
    ['file "a"b seq 1 type b\n', /its quotes are not closed/],
    ["file 'a seq 1 type b\n", /its quotes are not closed/],
    ['file a\0 seq 1 type b\n', /a zero byte/],
    [long, /in line 1: it is longer than 1024 bytes/],
    [`#${long}`, /in line 1: it is longer than 1024 bytes/],
    [`${BASE}file a.1.incr.aof seq 1 type i`, /in line 2: it has no line end, so the manifest was cut/],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(message);
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'manifest' }));
  });

  it('takes lines of 1024 bytes with their end and no more', () => {
    const name = 'n'.repeat(1024 - 'file  seq 1 type b\n'.length);
    expect(parse(`file ${name} seq 1 type b\n`).base).toBe(name);
    expect(() => parse(`file ${name}n seq 1 type b\n`)).toThrow(/longer than 1024/);
  });

  it('throws nothing but its own error, whatever it is given', () => {
    const piece = fc.constantFrom(
      'file',
      'seq',
      'type',
      ' ',
      '\n',
      '"',
      "'",
      '\\',
      '\\x4',
      'b',
      'i',
      '1',
      '#',
      '\0',
      'ä',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        try {
          parseManifest(Buffer.from(pieces.join('')), 'm');
        } catch (error) {
          expect(error).toBeInstanceOf(FerryError);
        }
      }),
    );
  });
});
