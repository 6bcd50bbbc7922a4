// What other programs say the values of the corpus are: librdb's JSON, the JSON of HDT3213/rdb and rdb-rs, commands (AOF
// and RESP), the corpus's own facts. Each is brought to the same plain form as what the decoder gave.
import type { StreamId } from '../../source/rdb/value-sink.ts';
import type { CollectedGroup, CollectedPending, CollectedValue } from '../support/collect-value.ts';

type Stream = Extract<CollectedValue, { kind: 'stream' }>;

/** How a program prints bytes that are no text. */
export type Print = (bytes: Buffer) => string;
/** Byte for byte. */
export const latin1: Print = (bytes) => bytes.toString('latin1');
/** Programs differ in how many marks they print for a run of bytes that are no text. */
export const utf8: Print = (bytes) => oneMark(bytes.toString('utf8'));
export const oneMark = (text: string): string => text.replace(/�+/g, '�');

/** A value without what its encoding decides: elements of sets, hashes and sorted sets in the order of their text. */
export function plain(value: CollectedValue, print: Print): unknown {
  switch (value.kind) {
    case 'string':
      return print(value.text);
    case 'list':
      return value.elements.map(print);
    case 'set':
      return value.elements.map(print).sort();
    case 'zset':
      return sorted(value.members.map(([member, score]) => [print(member), score]));
    case 'hash':
      return sorted(value.fields.map(([field, of]) => [print(field), print(of)]));
    case 'stream':
      return value.entries.map(([id, fields]) => [idText(id), fields.map(print)]);
  }
}

export function sorted<T extends readonly [string, unknown]>(pairs: readonly T[]): T[] {
  return [...pairs].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

export const idText = ({ ms, seq }: StreamId): string => `${ms}-${seq}`;

/** The number that a printed score means. */
export function scoreOf(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}

/** JSON as it stands in a file: objects keep the order and the repetitions of their names, numbers their digits. */
export type Json = string | boolean | null | Digits | Json[] | JsonObject;
export class Digits {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
export class JsonObject {
  readonly members: [string, Json][] = [];
  get(name: string): Json | undefined {
    return this.members.find(([known]) => known === name)?.[1];
  }
}

/**
 * Reads JSON and the slips of librdb's: elements of a list that have a name (of another kind: they are left out), commas
 * too many, and a bracket that is missing before the consumers of a group.
 */
export function readJson(text: string): Json {
  let at = 0;
  const space = () => {
    while (/[\s,]/.test(text[at] ?? '')) at++;
  };
  const quoted = (): string => {
    const from = at;
    for (at++; text[at] !== '"'; at++) if (text[at] === '\\') at++;
    at++;
    return JSON.parse(text.slice(from, at)) as string;
  };
  const value = (): Json => {
    space();
    const first = text[at] ?? '';
    if (first === '"') return quoted();
    if (first === '{') {
      const object = new JsonObject();
      for (at++; ; ) {
        space();
        if (text[at] === '}') break;
        const name = quoted();
        space();
        if (text[at] === ':') {
          at++;
          object.members.push([name, value()]);
        } else {
          object.members.push([name, items()]);
        }
      }
      at++;
      return object;
    }
    if (first === '[') {
      at++;
      return items();
    }
    const word = /^[\w.+-]+/.exec(text.slice(at, at + 400))?.[0] ?? '';
    if (word === '') throw new Error(`no JSON at ${at}: ${text.slice(at, at + 40)}`);
    at += word.length;
    return word === 'null' ? null : word === 'true' ? true : word === 'false' ? false : new Digits(word);
  };
  const items = (): Json[] => {
    const list: Json[] = [];
    for (space(); text[at] !== ']'; space()) {
      const item = value();
      space();
      if (text[at] === ':') {
        at++;
        value();
      } else {
        list.push(item);
      }
    }
    at++;
    return list;
  };
  return value();
}

/** What librdb's JSON says of a value of that kind, in the plain form. */
export function plainOfLibrdb(json: Json, kind: CollectedValue['kind']): unknown {
  switch (kind) {
    case 'set':
      return (json as string[]).toSorted();
    case 'zset':
      return sorted((json as JsonObject).members.map(([member, score]) => [member, scoreOf(score as string)]));
    case 'hash':
      return sorted((json as JsonObject).members.map(([field, of]) => [field, of]));
    case 'stream':
      return ((json as JsonObject).get('entries') as JsonObject[]).map((entry) => [
        entry.get('id'),
        (entry.get('items') as JsonObject).members.flat(),
      ]);
    default:
      return json;
  }
}

/** What the stream remembers and its groups, as librdb prints them; without what the stream's version does not have. */
export function streamFactsOfLibrdb(json: Json, stream: Stream): unknown {
  const object = json as JsonObject;
  const digits = (of: JsonObject, name: string) => (of.get(name) as Digits | undefined)?.text ?? '';
  const list = (of: JsonObject, name: string) => (of.get(name) ?? []) as JsonObject[];
  const newer = stream.facts.entriesAdded !== null;
  return {
    length: Number(digits(object, 'length')),
    lastId: object.get('lastID'),
    firstId: newer ? object.get('firstID') : null,
    maxDeletedId: newer ? object.get('maxDelEntryID') : null,
    entriesAdded: newer ? digits(object, 'entriesAdded') : null,
    groups: list(object, 'groups').map((group, i) => ({
      name: group.get('name'),
      lastId: group.get('lastid'),
      entriesRead: newer ? BigInt.asIntN(64, BigInt(digits(group, 'entriesRead'))) : null,
      pending: list(group, 'pending').map((entry) => [
        entry.get('id'),
        Number(digits(entry, 'sent')),
        Number(digits(entry, 'count')),
      ]),
      consumers: list(group, 'consumers').map((consumer, j) => ({
        name: consumer.get('name'),
        seenMs: Number(digits(consumer, 'seenTime')),
        activeMs: stream.groups[i]?.consumers[j]?.activeMs === null ? null : Number(digits(consumer, 'activeTime')),
        pending: list(consumer, 'pending').map((entry) => entry.get('id')),
      })),
    })),
  };
}

/** The same of what the decoder gave. */
export function streamFacts({ facts, groups }: Stream): unknown {
  const idOrNull = (id: StreamId | null) => (id === null ? null : idText(id));
  return {
    length: facts.length,
    lastId: idText(facts.lastId),
    firstId: idOrNull(facts.firstId),
    maxDeletedId: idOrNull(facts.maxDeletedId),
    entriesAdded: facts.entriesAdded === null ? null : String(facts.entriesAdded),
    groups: groups.map((group) => ({
      name: latin1(group.name),
      lastId: idText(group.lastId),
      entriesRead: group.entriesRead,
      pending: allPending(group).map(([id, sent, count]) => [idText(id), sent, count]),
      consumers: group.consumers.map(({ name, seenMs, activeMs, pending }) => ({
        name: latin1(name),
        seenMs,
        activeMs,
        pending: pending.map(([id]) => idText(id)),
      })),
    })),
  };
}

function allPending({ unowned, consumers }: CollectedGroup): CollectedPending[] {
  const order = ({ ms, seq }: StreamId) => (ms << 64n) | seq;
  return [...unowned, ...consumers.flatMap(({ pending }) => pending)].sort(([a], [b]) =>
    order(a) < order(b) ? -1 : 1,
  );
}

/** What a line of HDT3213/rdb's JSON says, in the plain form; null for what it does not print in full. */
export function plainOfHdt(line: JsonObject): unknown {
  const text = (json: Json | undefined) => oneMark(json as string);
  switch (line.get('type')) {
    case 'string':
      return text(line.get('value'));
    case 'list':
      return (line.get('values') as string[]).map(text);
    case 'set':
      return (line.get('members') as string[]).map(text).sort();
    case 'zset':
      return sorted(
        (line.get('entries') as JsonObject[]).map((entry) => [
          text(entry.get('member')),
          scoreOf((entry.get('score') as Digits).text),
        ]),
      );
    case 'hash':
      return sorted((line.get('hash') as JsonObject).members.map(([field, of]) => [text(field), text(of)]));
    default:
      return null;
  }
}

/** The value that commands make of one key, in the plain form. Streams as [id, fields] of XADD. */
export function plainOfCommands(commands: readonly (readonly Buffer[])[]): unknown {
  const texts = commands.map(([name, , ...rest]) => [latin1(name as Buffer).toUpperCase(), rest.map(latin1)] as const);
  const of = (...names: string[]) => texts.filter(([name]) => names.includes(name)).flatMap(([, rest]) => rest);
  const pairs = (list: string[]) =>
    Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i], list[2 * i + 1]] as [string, string]);
  switch (texts[0]?.[0]) {
    case 'SET':
      return of('SET')[0];
    case 'RPUSH':
      return of('RPUSH');
    case 'SADD':
      return of('SADD').sort();
    case 'ZADD':
      return sorted(pairs(of('ZADD')).map(([score, member]) => [member, scoreOf(score)] as const));
    case 'HSET':
    case 'HMSET':
      return sorted(pairs(of('HSET', 'HMSET')));
    case 'XADD':
      return texts.filter(([name]) => name === 'XADD').map(([, [id, ...fields]]) => [id, fields]);
    default:
      return undefined;
  }
}

/** The commands of an AOF or RESP file. */
export function readCommands(bytes: Buffer): Buffer[][] {
  const commands: Buffer[][] = [];
  let at = 0;
  const line = () => {
    const end = bytes.indexOf('\r\n', at);
    const text = bytes.toString('latin1', at + 1, end);
    at = end + 2;
    return Number(text);
  };
  while (at < bytes.length) {
    commands.push(
      Array.from({ length: line() }, () => {
        const size = line();
        const argument = bytes.subarray(at, at + size);
        at += size + 2;
        return argument;
      }),
    );
  }
  return commands;
}
