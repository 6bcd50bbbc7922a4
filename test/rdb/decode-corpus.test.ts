// Every value of the corpus: decoded, of the length that an independent walk found, in any chunking, and with the
// contents that other programs found in it. And every corrupt payload: refused or harmless.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { WholeView } from '../../source/rdb/byte-view.ts';
import { canDecode, decodeValue, decodeWhole, ValueReader } from '../../source/rdb/decode.ts';
import { type Dialect, FOOTER_BYTES, MAGIC_BYTES, OPCODE } from '../../source/rdb/format.ts';
import { HashTemplates } from '../../source/rdb/hash-templates.ts';
import { RdbError } from '../../source/rdb/rdb-error.ts';
import { type CollectedValue, collectValue, ValueCollector } from '../support/collect-value.ts';
import { corpusFolder, type WalkedFile, walkedFiles } from '../support/corpus.ts';
import {
  Digits,
  type Json,
  JsonObject,
  latin1,
  oneMark,
  plain,
  plainOfCommands,
  plainOfHdt,
  plainOfLibrdb,
  readCommands,
  readJson,
  scoreOf,
  sorted,
  streamFacts,
  streamFactsOfLibrdb,
  utf8,
} from './decode-expectations.ts';

if (corpusFolder === null) console.log('the corpus of RDB files is absent: the decoder is not tried on it');

interface DecodedKey {
  readonly database: number;
  readonly key: Buffer;
  readonly type: number;
  readonly value: CollectedValue;
}

interface DecodedFile {
  readonly name: string;
  readonly dialect: Dialect;
  /** In the order of the file; null for what cannot be decoded. */
  readonly keys: readonly (DecodedKey | null)[];
}

const files = walkedFiles().filter(({ path }) => existsSync(path));
const decoded = files.map(decodeFile);

function dialectOf(bytes: Buffer): Dialect {
  return bytes.toString('latin1', 0, 6) === 'VALKEY' ? 'valkey' : 'redis';
}

function decodeFile({ name, path, values }: WalkedFile): DecodedFile {
  const bytes = readFileSync(path);
  const dialect = dialectOf(bytes);
  const templates = templatesOf(bytes);
  const keys = values.map(({ database, keyHex, type, offset, length }) => {
    if (!canDecode(type, dialect)) return null;
    const view = new WholeView(bytes, offset, bytes.length, offset);
    const collector = new ValueCollector();
    decodeWhole(type, dialect, view, collector, templates);
    if (view.start !== offset + length) throw new Error(`${name}: the value at ${offset} ends at ${view.start}`);
    return { database, key: Buffer.from(keyHex, 'hex'), type, value: collector.take() };
  });
  return { name, dialect, keys };
}

/** The hash templates that stand in front of a file's keys. */
function templatesOf(bytes: Buffer): HashTemplates {
  const templates = new HashTemplates();
  const reader = new ValueReader(new WholeView(bytes, MAGIC_BYTES));
  for (;;) {
    const opcode = bytes[reader.raw(1)];
    if (opcode === OPCODE.aux) reader.pair();
    else if (opcode === OPCODE.selectDb) reader.length();
    else if (opcode === OPCODE.resizeDb) {
      reader.length();
      reader.length();
    } else if (opcode === OPCODE.hashTemplate) {
      reader.length();
      const id = reader.value;
      reader.length();
      const fields = Array.from({ length: reader.value }, () => {
        reader.string();
        return Buffer.from(reader.first.bytes.subarray(reader.first.start, reader.first.end));
      });
      templates.define(id, fields);
    } else return templates;
  }
}

/** What confirmed the contents of each type: "redis 15" -> "librdb", how often. */
const confirmed = new Map<string, Map<string, number>>();

function confirm(file: DecodedFile, { type }: DecodedKey, by: string): void {
  const name = `${file.dialect} ${type}`;
  const sources = confirmed.get(name) ?? new Map<string, number>();
  confirmed.set(name, sources);
  sources.set(by, (sources.get(by) ?? 0) + 1);
}

/** The expectations of each file by their ending, from the corpus's index. */
function expectationsOf(file: DecodedFile, ending: string): string[] {
  const line = readFileSync(`${corpusFolder}/INDEX.tsv`, 'utf8')
    .split('\n')
    .find((known) => known.startsWith(`rdb/${file.name}\t`));
  const paths = line?.split('\t').at(-1)?.split(';') ?? [];
  return paths.filter((path) => path.endsWith(ending)).map((path) => `${corpusFolder}/${path}`);
}

const find = (file: DecodedFile, database: number, key: string, print = latin1) =>
  file.keys.find((known) => known !== null && known.database === database && print(known.key) === key) ?? null;

describe.runIf(corpusFolder !== null)('the values of the corpus', () => {
  it('decode, as long as the walk found them', () => {
    // decodeFile has compared the lengths.
    expect(decoded.flatMap(({ keys }) => keys).filter((key) => key !== null).length).toBe(798);
    expect(decoded.flatMap(({ keys }) => keys).filter((key) => key === null).length).toBe(7);
  });

  it('decode to the same in small pieces', () => {
    for (const file of files) {
      const bytes = readFileSync(file.path);
      const templates = templatesOf(bytes);
      const dialect = dialectOf(bytes);
      const expected = decoded.find(({ name }) => name === file.name);
      for (const [i, { type, offset, length }] of file.values.entries()) {
        if (!canDecode(type, dialect)) continue;
        const step = length < 200 ? 1 : Math.ceil(length / 97);
        const collector = new ValueCollector();
        let end = offset;
        const reader = new ValueReader(new WholeView(bytes, offset, end, offset));
        const decoding = decodeValue(type, dialect, reader, collector, templates);
        while (decoding.next().done !== true) {
          expect(end).toBeLessThan(offset + length);
          const { position } = reader.view;
          end = Math.min(end + step, offset + length);
          reader.view = new WholeView(Buffer.from(bytes.subarray(position, end)), 0, end - position, position);
        }
        expect(collector.take()).toEqual(expected?.keys[i]?.value);
      }
    }
  });

  it('are what librdb prints', () => {
    let values = 0;
    let streams = 0;
    for (const file of decoded) {
      for (const path of expectationsOf(file, '.librdb.json')) {
        const databases = readJson(readFileSync(path, 'latin1')) as JsonObject[];
        const printed = databases.flatMap(({ members }) => members);
        expect(printed.length, path).toBe(file.keys.length);
        for (const [i, [key, json]] of printed.entries()) {
          const known = file.keys[i] ?? null;
          if (known === null) continue;
          const { value } = known;
          expect(key, path).toBe(latin1(known.key));
          expect(normalZero(plain(value, latin1)), `${path} ${key}`).toEqual(plainOfLibrdb(json, value.kind));
          if (value.kind === 'stream') {
            expect(streamFacts(value), `${path} ${key}`).toEqual(streamFactsOfLibrdb(json, value));
            streams++;
          }
          confirm(file, known, 'librdb');
          values++;
        }
      }
    }
    expect({ values, streams }).toEqual({ values: 739, streams: 27 });
  });

  it('are what HDT3213/rdb prints, with the expiries of fields', () => {
    let values = 0;
    for (const file of decoded) {
      for (const path of expectationsOf(file, '.json').filter((known) => known.includes('/hdt3213-rdb/'))) {
        if (path.endsWith('.librdb.json')) continue;
        for (const line of readJson(readFileSync(path, 'utf8')) as JsonObject[]) {
          const expected = plainOfHdt(line);
          if (expected === null) continue;
          const key = oneMark(line.get('key') as string);
          const known = find(file, Number((line.get('db') as Digits).text), key, utf8);
          if (known === null) continue;
          expect(normalZero(plain(known.value, utf8)), `${path} ${key}`).toEqual(expected);
          const expire = line.get('expire');
          if (expire instanceof JsonObject && known.value.kind === 'hash') {
            expect(sorted(known.value.fields.map(([field, , at]) => [utf8(field), at === -1 ? 0 : at]))).toEqual(
              sorted(expire.members.map(([field, at]) => [field, Number((at as Digits).text)])),
            );
            confirm(file, known, 'hdt3213 expiries');
          }
          confirm(file, known, 'hdt3213');
          values++;
        }
      }
    }
    expect(values).toBe(88);
  });

  it('are what the commands of rdb-rs, HDT3213/rdb and librdb write', () => {
    let values = 0;
    for (const file of decoded) {
      const paths = ['.protocol', '.aof', '.resp'].flatMap((ending) => expectationsOf(file, ending));
      for (const path of paths.filter((known) => !known.endsWith('.restore.resp'))) {
        const byKey = new Map<string, Buffer[][]>();
        let database = 0;
        for (const command of readCommands(readFileSync(path))) {
          const name = latin1(command[0] as Buffer);
          if (name === 'SELECT') database = Number(command[1]);
          else
            byKey.set(`${database}/${latin1(command[1] as Buffer)}`, [
              ...(byKey.get(`${database}/${latin1(command[1] as Buffer)}`) ?? []),
              command,
            ]);
        }
        for (const [place, commands] of byKey) {
          const slash = place.indexOf('/');
          const known = find(file, Number(place.slice(0, slash)), place.slice(slash + 1));
          const expected = plainOfCommands(commands);
          if (known === null || expected === undefined) continue;
          expect(normalZero(plain(known.value, latin1)), `${path} ${place}`).toEqual(expected);
          confirm(file, known, 'commands');
          values++;
        }
      }
    }
    expect(values).toBe(85);
  });

  it('are what the corpus says of its synthetic files and of the tests of Valkey', () => {
    let values = 0;
    for (const file of decoded) {
      for (const path of [...expectationsOf(file, '.expect.json'), ...expectationsOf(file, '.facts.json')]) {
        const facts = readJson(readFileSync(path, 'utf8')) as JsonObject;
        for (const [database, keys] of facts.members) {
          if (!/^\d+$/.test(database)) continue;
          for (const [key, fact] of (keys as JsonObject).members) {
            const known = find(file, Number(database), key);
            if (known === null || !compareWithFact(known.value, fact, `${path} ${key}`)) continue;
            confirm(file, known, 'facts');
            values++;
          }
        }
      }
    }
    expect(values).toBe(36);
  });

  it('are what the tests of Valkey expect of encodings.rdb', () => {
    const file = decoded.find(({ name }) => name === 'valkey/encodings.rdb');
    if (file === undefined) throw new Error('encodings.rdb is not there');
    const lines = readFileSync(`${corpusFolder}/rdb/valkey/encodings.expect.csv`, 'latin1').trim().split('\n');
    for (const line of lines) {
      const [, key = '', kind, ...texts] = JSON.parse(`[${line.replace(/,\s*$/, '')}]`) as string[];
      const known = find(file, 0, key);
      if (known === null) throw new Error(`${key} is not there`);
      const pairs = Array.from(
        { length: texts.length / 2 },
        (_, i) => [texts[2 * i] ?? '', texts[2 * i + 1] ?? ''] as const,
      );
      const expected: Record<string, () => unknown> = {
        string: () => texts[0],
        list: () => texts,
        set: () => texts.toSorted(),
        hash: () => sorted(pairs.map((pair) => [...pair] as const)),
        zset: () => sorted(pairs.map(([member, score]) => [member, scoreOf(score)] as const)),
      };
      expect(plain(known.value, latin1), key).toEqual(expected[kind ?? '']?.());
      confirm(file, known, 'csv');
    }
    expect(lines.length).toBe(13);
  });

  it('are confirmed by somebody else for every type that occurs, in the tests above', () => {
    const occurring = decoded.flatMap((file) =>
      file.keys.filter((key) => key !== null).map(({ type }) => `${file.dialect} ${type}`),
    );
    expect([...new Set(occurring)].filter((type) => !confirmed.has(type))).toEqual([]);
  });
});

/** Programs that print numbers as text lose the sign of zero. */
function normalZero(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normalZero);
  return value === 0 ? 0 : value;
}

/** Compares with a fact in one of the forms that the corpus uses; false when it says nothing of the contents. */
function compareWithFact(value: CollectedValue, fact: Json, what: string): boolean {
  if (typeof fact === 'string' || Array.isArray(fact)) {
    expect(plain(value, latin1), what).toEqual(fact);
    return true;
  }
  if (!(fact instanceof JsonObject)) return false;
  const text = (json: Json) => (json instanceof Digits ? json.text : (json as string));
  switch (value.kind) {
    case 'zset':
      expect(plain(value, latin1), what).toEqual(
        sorted(fact.members.map(([member, score]) => [member, scoreOf(text(score))] as const)),
      );
      return true;
    case 'hash': {
      const [first] = fact.members;
      if (Array.isArray(first?.[1])) {
        const fields = value.fields.map(([field, of, at]) => [latin1(field), [latin1(of), Math.max(at, 0)]] as const);
        const expected = fact.members.map(([field, pair]) => {
          const [of, at] = pair as [string, Digits];
          return [field, [of, Number(at.text)]] as const;
        });
        expect(sorted(fields), what).toEqual(sorted(expected));
      } else {
        expect(plain(value, latin1), what).toEqual(
          sorted(fact.members.map(([field, of]) => [field, text(of)] as const)),
        );
      }
      return true;
    }
    case 'stream': {
      const entries = fact.get('entries');
      const group = fact.get('group');
      if (!(group instanceof JsonObject)) return false;
      const facts = streamFacts(value) as { groups: { name: string; lastId: string; pending: [string][] }[] };
      const [read] = facts.groups;
      expect(plain(value, latin1), what).toEqual(entries);
      expect([read?.name, read?.lastId], what).toEqual([group.get('name'), group.get('last')]);
      expect(
        read?.pending.map(([id]) => id),
        what,
      ).toEqual(group.get('pel'));
      const consumers = group.get('consumers') as JsonObject;
      expect(
        value.groups[0]?.consumers.map(({ name, pending }) => [latin1(name), pending.map(idOf)]),
        what,
      ).toEqual(consumers.members);
      expect(value.groups[0]?.unowned.map(idOf), what).toEqual(group.get('nacked') ?? []);
      return true;
    }
    default:
      return false;
  }
}

const idOf = ([{ ms, seq }]: readonly [{ ms: bigint; seq: bigint }, ...unknown[]]) => `${ms}-${seq}`;

describe.runIf(corpusFolder !== null)('the payloads of the corpus', () => {
  const payloads = (origin: string) =>
    corpusFolder === null
      ? []
      : readdirSync(`${corpusFolder}/dump/${origin}`)
          .filter((file) => file.endsWith('.bin'))
          .map((file) => ({ file, bytes: readFileSync(`${corpusFolder}/dump/${origin}/${file}`) }));

  it('that are corrupt are refused with an error, or give something harmless, at once', () => {
    const refused: string[] = [];
    const all = payloads('valkey');
    for (const { file, bytes } of all) {
      const type = bytes[0] as number;
      const begun = performance.now();
      try {
        collectValue(type, 'redis', bytes.subarray(1, -FOOTER_BYTES));
      } catch (error) {
        expect(error, file).toBeInstanceOf(RdbError);
        refused.push(file.slice(0, 3));
      }
      expect(performance.now() - begun, file).toBeLessThan(1000);
    }
    expect(all.length).toBe(45);
    // The rest is what a server takes too: repeated members, missing entries, lengths that only matter from back to front.
    const expected =
      '001 003 007 008 011 013 015 018 023 024 025 026 029 034 039 040 041 043 044 048 051 052 055 056 061 064 065';
    expect(refused.join(' ')).toBe(expected);
  });

  it('with hash templates of their own are what they say', () => {
    for (const { file, bytes } of payloads('synthetic').filter((known) => known.file.includes('tmpl'))) {
      const path = `${corpusFolder}/dump/synthetic/${file.replace('.bin', '.expect.json')}`;
      const fact = (readJson(readFileSync(path, 'utf8')) as JsonObject).get('value') as JsonObject;
      const value = collectValue(bytes[0] as number, 'redis', bytes.subarray(1, -FOOTER_BYTES));
      expect(plain(value, latin1)).toEqual(sorted(fact.members));
    }
  });
});
