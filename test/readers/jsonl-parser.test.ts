// What a file of JSON lines is read as, and what is said of one that is broken. Round trips with real data are in
// test/writers/file/jsonl-file.test.ts.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FerryError } from '../../source/engine/errors.ts';
import { Crc64 } from '../../source/rdb/crc64.ts';
import type { Slice, ValueSink } from '../../source/rdb/value-sink.ts';
import { ByteWindow } from '../../source/readers/byte-window.ts';
import { JsonlParser } from '../../source/readers/jsonl-parser.ts';
import type { BigValueTaker, SnapshotEntry, SnapshotSink } from '../../source/readers/snapshot-sink.ts';

const HEAD = '{"redferry":"jsonl","version":1,"rdb":12,"dialect":"redis"}';
/** Type, a module's id, one unsigned number, the end. */
const MODULE = Buffer.from('078142aaaaaaaaaaaaaa020500', 'hex');

type Big = 'decoded' | 'raw' | 'skip';

interface Read {
  readonly events: unknown[];
  readonly status: string;
}

/** Feeds the text in pieces and notes everything that the sink is told. */
function read(text: string | Buffer, options: { piece?: number; big?: Big; lineBytes?: number } = {}): Read {
  const bytes = Buffer.from(text as string);
  const events: unknown[] = [];
  const window = new ByteWindow();
  const { piece = bytes.length + 1, big = 'decoded', lineBytes } = options;
  const parser = new JsonlParser(window, sinkOf(events, big), lineBytes === undefined ? {} : { lineBytes });
  let given = 0;
  const source = {
    read(into: Uint8Array, offset: number, length: number): number {
      const count = Math.min(piece, length, bytes.length - given);
      into.set(bytes.subarray(given, given + count), offset);
      given += count;
      return count;
    },
  };
  let status = parser.parse();
  while (status === 'hungry') {
    if (window.fill(source) === 0) parser.inputEnded();
    status = parser.parse();
  }
  return { events, status };
}

function sinkOf(events: unknown[], big: Big): SnapshotSink {
  return {
    saturated: false,
    header: (header) => events.push(header),
    entry: (entry) => {
      const { parts, bytes, valueStart, valueEnd } = entry;
      const value = Buffer.concat([...parts, bytes.subarray(valueStart, valueEnd)]);
      events.push({ ...described(entry), type: entry.type, value: value.toString('latin1') });
    },
    beginBig: (entry): BigValueTaker => {
      events.push({ ...described(entry), big: entry.type });
      if (big === 'decoded') return { kind: 'decoded', sink: noting(events) };
      if (big === 'skip') return { kind: 'skip', skipped: (bytes) => events.push(['skipped', bytes]) };
      return {
        kind: 'raw',
        part: (bytes) => {
          if (bytes.length > 0) events.push(['part', bytes.toString('hex')]);
        },
        end: () => events.push('end'),
      };
    },
    announcedKeys: () => {},
    aux: (name, value) => events.push({ aux: name, value: value.toString() }),
    functionLibrary: (code) => events.push({ library: code.toString() }),
    leftOut: (what) => events.push({ leftOut: what }),
  };
}

function described({ database, keyBytes, keyStart, keyLength, expiresAtMs, idleSeconds, frequency }: SnapshotEntry) {
  const key = keyBytes.toString('latin1', keyStart, keyStart + keyLength);
  return { database, key, expiresAtMs, idleSeconds, frequency };
}

function noting(events: unknown[]): ValueSink {
  const text = ({ bytes, start, end }: Slice): string => bytes.toString('latin1', start, end);
  return {
    saturated: false,
    begin: (kind, count) => events.push(['begin', kind, count]),
    text: (piece) => events.push(['text', text(piece)]),
    element: (element) => events.push(['element', text(element)]),
    scored: (member, score) => events.push(['scored', text(member), score]),
    field: (field, value, expires) => events.push(['field', text(field), text(value), expires]),
    streamEntry: (id, fields, count) =>
      events.push(['entry', `${id.ms}-${id.seq}`, ...fields.slice(0, count).map(text)]),
    streamFacts: (facts) => events.push(['facts', facts.length, facts.lastId.ms, facts.entriesAdded]),
    group: (name, lastId, entriesRead) => events.push(['group', text(name), lastId.ms, entriesRead]),
    consumer: (name, seen, active) => events.push(['consumer', text(name), seen, active]),
    pending: (id, at, count) => events.push(['pending', `${id.ms}-${id.seq}`, at, count]),
    end: () => events.push('end'),
  };
}

function dumpOf(value: Buffer, version = 12): string {
  const payload = Buffer.concat([value, Buffer.from([version & 255, version >> 8]), Buffer.alloc(8)]);
  const crc = new Crc64();
  crc.update(payload, 0, payload.length - 8);
  crc.writeTo(payload, payload.length - 8);
  return payload.toString('base64');
}

const NO_ATTRIBUTES = { expiresAtMs: -1, idleSeconds: -1, frequency: -1 };

describe('JsonlParser', () => {
  it('gives keys as entries of a snapshot, in any chunking', () => {
    const text = [
      HEAD,
      '{"function":"#!lua name=x"}',
      '{"script":"return 1"}',
      '',
      '{"db":0,"key":"a","type":"string","value":"text"}\r',
      '{"value":["x",{"base64":"/w=="}],"type":"list","key":{"base64":"gA=="},"db":3,"expiresAtMs":-7,"later":[]}',
      '{"db":3,"key":"ä","idleSeconds":9,"type":"set","value":["1"]}',
      '{"db":3,"key":"f","frequency":255,"type":"string","value":""}',
    ].join('\n');
    const wanted = [
      { version: 12, dialect: 'redis' },
      { library: '#!lua name=x' },
      { aux: 'lua', value: 'return 1' },
      { database: 0, key: 'a', ...NO_ATTRIBUTES, type: 0, value: '\x04text' },
      {
        database: 3,
        key: '\x80',
        ...NO_ATTRIBUTES,
        expiresAtMs: -7,
        type: 1,
        value: expect.stringContaining('\x01x\x01\xff'),
      },
      { database: 3, key: 'Ã¤', ...NO_ATTRIBUTES, idleSeconds: 9, type: 2, value: expect.any(String) },
      { database: 3, key: 'f', ...NO_ATTRIBUTES, frequency: 255, type: 0, value: expect.any(String) },
    ];
    for (const piece of [1, 2, 7, 64, 10_000]) {
      // A last line with and without its end.
      for (const end of ['', '\n', '\n\n']) {
        const { events, status } = read(text + end, { piece });
        expect(status).toBe('end');
        expect(events.map((event) => plainLength(event))).toEqual(wanted);
      }
    }
  });

  it('plays values in parts into who takes them', () => {
    const text = [
      HEAD,
      '{"db":1,"key":"s","type":"string","value":"ab","bytes":5,"part":1}',
      '{"part":2,"value":{"base64":"/w=="}}',
      '{"part":3,"value":"cd","last":true}',
      '{"db":1,"key":"z","type":"zset","value":[["m","-0"]],"part":1}',
      '{"part":2,"value":[["n","inf"]],"last":true}',
      '{"db":1,"key":"h","type":"hash","value":[["f","v"]],"part":1}',
      '{"part":2,"value":[["g","w",5]],"last":true}',
      '{"db":1,"key":"x","type":"stream","value":{"entries":[["1-1","f","v"]]},"part":1}',
      '{"part":2,"value":{"entries":[["2-1","f","w"]],"length":2,"lastId":"2-1","entriesAdded":"18446744073709551615"}}',
      '{"part":3,"value":{"groups":[{"name":"g","lastId":"2-1","entriesRead":-1,"consumers":[{"name":"c","seenMs":4,"pending":[["1-1",3,1]]}]}]}}',
      '{"part":4,"value":{"groups":[{"name":"g","consumers":[{"name":"c","pending":[["2-1",3,1]]},{"name":"d","seenMs":5,"activeMs":-1}]},{"name":"h","lastId":"0-0","pending":[["1-1",3,1]]}]},"last":true}',
    ].join('\n');
    const { events } = read(text, { piece: 11 });
    expect(events.slice(1).filter((event) => Array.isArray(event) || event === 'end')).toEqual([
      ['begin', 'string', 5],
      ['text', 'ab'],
      ['text', '\xff'],
      ['text', 'cd'],
      'end',
      ['begin', 'zset', null],
      ['scored', 'm', -0],
      ['scored', 'n', Number.POSITIVE_INFINITY],
      'end',
      ['begin', 'hash', null],
      ['field', 'f', 'v', -1],
      ['field', 'g', 'w', 5],
      'end',
      ['begin', 'stream', null],
      ['entry', '1-1', 'f', 'v'],
      ['entry', '2-1', 'f', 'w'],
      ['facts', 2, 2n, 2n ** 64n - 1n],
      ['group', 'g', 2n, -1n],
      ['consumer', 'c', 4, null],
      ['pending', '1-1', 3, 1],
      ['pending', '2-1', 3, 1],
      ['consumer', 'd', 5, -1],
      ['group', 'h', 0n, null],
      ['pending', '1-1', 3, 1],
      'end',
    ]);
    const bigTypes = events.filter((event) => typeof event === 'object' && event !== null && 'big' in event);
    expect(bigTypes).toMatchObject([{ big: 0 }, { big: 5 }, { big: 24 }, { big: 21 }]);
    const skipped = read(text, { big: 'skip' }).events.filter((event) => Array.isArray(event));
    expect(skipped).toHaveLength(4);
  });

  it('takes dumps apart, whole or in parts', () => {
    const dump = dumpOf(MODULE);
    const whole = read(`${HEAD}\n{"db":0,"key":"m","type":"module","value":"${dump}"}`);
    const value = MODULE.subarray(1).toString('latin1');
    expect(whole.events[1]).toEqual({ database: 0, key: 'm', ...NO_ATTRIBUTES, type: 7, value });
    const payload = Buffer.from(dump, 'base64');
    for (let cut = 1; cut < payload.length; cut++) {
      const [first, second] = [payload.subarray(0, cut), payload.subarray(cut)].map((part) => part.toString('base64'));
      const text = `${HEAD}\n{"db":0,"key":"m","type":"module","value":"${first}","part":1}\n{"part":2,"value":"${second}","last":true}`;
      const { events } = read(text, { big: 'raw' });
      const parts = events.filter((event): event is [string, string] => Array.isArray(event) && event[0] === 'part');
      expect(parts.map(([, hex]) => hex).join(''), `cut at ${cut}`).toBe(MODULE.subarray(1).toString('hex'));
      expect(events.at(-1)).toBe('end');
    }
  });

  it('takes a string of many megabytes in base64', () => {
    const text = `${HEAD}\n{"db":0,"key":"k","type":"string","value":{"base64":"${'/////'.repeat(6_000_000).slice(0, 24_000_000)}"}}`;
    const { events } = read(text);
    expect(events[1]).toMatchObject({ type: 0 });
    expect((events[1] as { value: string }).value.length).toBeGreaterThanOrEqual(18_000_000);
  });

  it('leaves out what no server keeps or only Valkey has, and says so', () => {
    const empty = read(`${HEAD}\n{"db":0,"key":"l","type":"list","value":[]}`);
    expect(empty.events[1]).toMatchObject({ leftOut: expect.stringContaining('without elements') });
    const head = HEAD.replace('"redis"', '"valkey"');
    // From 22 on a number means something else for Redis, in whose dialect everything is given.
    const valkey = read(`${head}\n{"db":0,"key":"p","type":"opaque","value":"${dumpOf(Buffer.from([28, 0, 0]), 81)}"}`);
    expect(valkey.events[1]).toMatchObject({ leftOut: expect.stringContaining('only Valkey') });
  });

  it('waits while its sink is saturated', () => {
    const events: unknown[] = [];
    let saturated = false;
    const sink = sinkOf(events, 'decoded');
    const window = new ByteWindow(Buffer.from(`${HEAD}\n{"db":0,"key":"a","type":"string","value":"x"}\n`.repeat(1)));
    const parser = new JsonlParser(window, {
      ...sink,
      get saturated() {
        return saturated;
      },
      entry: (entry) => {
        sink.entry(entry);
        saturated = true;
      },
    });
    expect(parser.parse()).toBe('blocked');
    parser.inputEnded();
    expect(parser.parse()).toBe('blocked');
    saturated = false;
    expect(parser.parse()).toBe('end');
    expect(events).toHaveLength(2);
  });
});

/** The encoder may write the length of a string in a longer form than it needs. */
function plainLength(event: unknown): unknown {
  if (typeof event !== 'object' || event === null || !('value' in event) || !('type' in event)) return event;
  return { ...event, value: String(event.value).replace(/^\x80\0\0\0(.)/, '$1') };
}

const KEY = '"db":0,"key":"k"';

describe('a broken line is named', () => {
  it.each([
    ['nothing', '', 'the file is empty'],
    ['another format', '{"a":1}', 'the first line'],
    ['a newer version', '{"redferry":"jsonl","version":2}', 'by a newer redferry'],
    ['no JSON', `${HEAD}\n{"db":0,`, 'it is no JSON'],
    ['an array', `${HEAD}\n[]`, 'the line is an array and not an object'],
    ['no key', `${HEAD}\n{"db":0,"type":"string","value":""}`, '"key" is missing'],
    ['a database below 0', `${HEAD}\n{"db":-1,"key":"k","type":"string","value":""}`, '"db" is -1'],
    ['a broken database', `${HEAD}\n{"db":1e99,"key":"k","type":"string","value":""}`, '"db" is 1e+99'],
    ['an unknown type', `${HEAD}\n{${KEY},"type":"tree","value":""}`, '"type" is "tree"'],
    ['a name of Object', `${HEAD}\n{${KEY},"type":"__proto__","value":""}`, '"type" is "__proto__"'],
    ['no value', `${HEAD}\n{${KEY},"type":"list"}`, 'the value is missing'],
    ['a list of numbers', `${HEAD}\n{${KEY},"type":"list","value":[1]}`, 'an element is 1'],
    ['a lone surrogate', `${HEAD}\n{${KEY},"type":"string","value":"\\ud800"}`, 'lone surrogates'],
    ['broken base64', `${HEAD}\n{${KEY},"type":"string","value":{"base64":"a"}}`, 'and not base64'],
    ['a score in words', `${HEAD}\n{${KEY},"type":"zset","value":[["m","much"]]}`, 'a score is "much"'],
    ['a member without score', `${HEAD}\n{${KEY},"type":"zset","value":[["m"]]}`, 'not an array of two'],
    ['a field expiring never', `${HEAD}\n{${KEY},"type":"hash","value":[["f","v",null]]}`, 'the expiry of a field'],
    ['a stream without end', `${HEAD}\n{${KEY},"type":"stream","value":{"entries":[]}}`, 'no "lastId"'],
    [
      'an id too large',
      `${HEAD}\n{${KEY},"type":"stream","value":{"entries":[["18446744073709551616-0"]]}}`,
      'an id such as',
    ],
    [
      'a group of nobody',
      `${HEAD}\n{${KEY},"type":"stream","value":{"length":0,"lastId":"0-0","groups":[{"name":"g"}]}}`,
      'no "lastId" and is not the one',
    ],
    [
      'a missing part',
      `${HEAD}\n{${KEY},"type":"list","value":[],"part":1}\n{"part":3,"value":[]}`,
      'part 2 of a value is awaited',
    ],
    ['no last part', `${HEAD}\n{${KEY},"type":"list","value":[],"part":1}\n`, 'and the file ends'],
    [
      'a key between parts',
      `${HEAD}\n{${KEY},"type":"list","value":[],"part":1}\n{${KEY},"type":"set","value":[]}`,
      '"part" is missing',
    ],
    [
      'a string of another size',
      `${HEAD}\n{${KEY},"type":"string","value":"a","bytes":3,"part":1}\n{"part":2,"value":"b","last":true}`,
      '1 bytes more',
    ],
    ['a longer string', `${HEAD}\n{${KEY},"type":"string","value":"abc","bytes":2,"part":1}`, 'longer than'],
    ['an empty dump', `${HEAD}\n{${KEY},"type":"module","value":""}`, 'the dump is empty'],
    ['a dump of type 6', `${HEAD}\n{${KEY},"type":"module","value":"BgAA"}`, 'of type 6'],
    ['a cut dump', `${HEAD}\n{${KEY},"type":"module","value":"BwAA"}`, 'the dump ends before its value'],
    [
      'a dump with a wrong sum',
      `${HEAD}\n{${KEY},"type":"module","value":"${dumpOf(MODULE).replace('gIFAA', 'gIGAA')}"}`,
      'the checksum of the dump is wrong',
    ],
  ])('%s', (_, text, message) => {
    expect(() => read(text)).toThrow(FerryError);
    expect(() => read(text)).toThrow(message);
    expect(() => read(text, { piece: 3 })).toThrow(message);
  });

  it('with its number and its place', () => {
    const first = `${HEAD}\n\n{"db":0,"key":"ä","type":"string","value":"x"}\n`;
    expect(() => read(`${first}oops`)).toThrow(
      `Line 4 of the JSON lines, at byte ${Buffer.byteLength(first)}: it is no JSON`,
    );
  });

  it('when it is no UTF-8', () => {
    const line = Buffer.concat([
      Buffer.from(`${HEAD}\n{${KEY},"type":"string","value":"`),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    expect(() => read(line)).toThrow('it is no UTF-8');
  });

  it('when it is longer than the limit, also before its end came', () => {
    const line = `${HEAD}\n{${KEY},"type":"string","value":"${'x'.repeat(5000)}"}\n`;
    expect(() => read(line, { lineBytes: 1000, piece: 100 })).toThrow('longer than 1000 bytes');
    expect(() => read(line, { lineBytes: 1000 })).toThrow('longer than 1000 bytes');
    expect(read(line, { lineBytes: 6000 }).status).toBe('end');
  });

  it('when it is nested deeper than any stack', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect(() => read(`${HEAD}\n{${KEY},"type":"list","value":[${deep}]}`)).toThrow('an element is an array');
  });

  it('whatever is wrong with it', () => {
    const lines = [
      '{"db":0,"key":"z","type":"zset","value":[["m","1.5"],["n","-inf"]]}',
      '{"db":0,"key":"h","type":"hash","value":[["f","v",5],["g",{"base64":"/w=="}]]}',
      '{"db":0,"key":"x","type":"stream","value":{"entries":[["1-1","f","v"]],"length":1,"lastId":"1-1","groups":[{"name":"g","lastId":"1-1","consumers":[{"name":"c","seenMs":4,"pending":[["1-1",3,1]]}]}]}}',
      `{"db":0,"key":"m","type":"module","value":"${dumpOf(MODULE)}"}`,
      '{"db":0,"key":"s","type":"string","value":"a","part":1}\n{"part":2,"value":"b","last":true}',
    ];
    const junk = fc.constantFrom(
      '',
      '0',
      '-1',
      'null',
      '[]',
      '{}',
      '"',
      ',',
      '9007199254740993',
      '1e999',
      '\\',
      '\n',
      'true',
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...lines),
        fc.array(fc.record({ at: fc.nat(), cut: fc.nat({ max: 12 }), put: junk }), { minLength: 1, maxLength: 3 }),
        fc.constantFrom<Big>('decoded', 'skip'),
        (line, changes, big) => {
          let text = line;
          for (const { at, cut, put } of changes) {
            const place = at % (text.length + 1);
            text = text.slice(0, place) + put + text.slice(place + cut);
          }
          try {
            read(`${HEAD}\n${text}`, { big });
          } catch (error) {
            expect(error).toBeInstanceOf(FerryError);
          }
        },
      ),
      { numRuns: 3000 },
    );
  });
});
