// What each side has of a key that differs, line by line, for a person to look at: elements that only one of them has. Reads
// little: of long values the beginning, of big ones nothing (the difference itself says in words where they part).
import type { Command, Connection } from './connection.ts';
import { placesOf } from './database-numbers.ts';
import { type Difference, sidedKey } from './report.ts';
import { type Reply, ReplyError } from './resp-reader.ts';
import { count, list, type Side, text } from './side.ts';
import { quote } from './value-pair.ts';

export interface SideLine {
  readonly side: 'source' | 'target';
  readonly text: string;
}

/** Lines of one difference. */
const MOST_LINES = 24;
/** Elements read of a value. */
const MOST_ELEMENTS = 200;
/** By MEMORY USAGE. */
const MOST_BYTES = 262_144;
const STRING_BYTES = 1200;
const STRING_LINE_BYTES = 60;

interface Reading {
  readonly commands: (key: Buffer) => readonly Command[];
  readonly lines: (replies: readonly Reply[]) => string[];
}

const pairs = (flat: readonly Reply[], join: (a: Reply | undefined, b: Reply | undefined) => string): string[] =>
  flat.flatMap((first, index) => (index % 2 === 0 ? [join(first, flat[index + 1])] : []));

/** By type; of the others only type and expiry are shown. */
const READINGS: Readonly<Record<string, Reading>> = {
  string: {
    commands: (key) => [['GETRANGE', key, 0, STRING_BYTES - 1]],
    lines: ([value]) => {
      const all = Buffer.isBuffer(value) ? value : Buffer.alloc(0);
      const parts = Math.max(1, Math.ceil(all.length / STRING_LINE_BYTES));
      return Array.from({ length: parts }, (_, part) => {
        const from = part * STRING_LINE_BYTES;
        return `${from}: ${quote(all.subarray(from, from + STRING_LINE_BYTES))}`;
      });
    },
  },
  list: {
    commands: (key) => [['LRANGE', key, 0, MOST_ELEMENTS - 1]],
    lines: ([elements]) => list(elements ?? null).map((element, index) => `${index}: ${quote(element)}`),
  },
  set: {
    commands: (key) => [['SMEMBERS', key]],
    lines: ([members]) =>
      list(members ?? null)
        .map(quote)
        .sort(),
  },
  hash: {
    commands: (key) => [['HGETALL', key]],
    lines: ([fields]) => pairs(list(fields ?? null), (field, value) => `${quote(field)} = ${quote(value)}`).sort(),
  },
  zset: {
    commands: (key) => [['ZRANGE', key, 0, MOST_ELEMENTS - 1, 'WITHSCORES']],
    lines: ([members]) =>
      pairs(list(members ?? null), (member, score) => `${Number(text(score ?? null))} ${quote(member)}`),
  },
  stream: {
    commands: (key) => [
      ['XRANGE', key, '-', '+', 'COUNT', MOST_ELEMENTS],
      ['XINFO', 'GROUPS', key],
    ],
    lines: ([entries, groups]) => [
      ...list(entries ?? null).map((entry) => {
        const [id, fields] = list(entry);
        return `${text(id ?? null)} ${list(fields ?? null)
          .map(quote)
          .join(' ')}`;
      }),
      ...list(groups ?? null).map((group) => `group ${list(group).map(groupPart).join(' ')}`),
    ],
  },
};

/** The lines that only one side has: type and expiry first, then elements in the order of the value. */
export async function readBothSides(
  source: Side,
  target: Side,
  difference: Pick<Difference, 'database' | 'key' | 'aspects'>,
): Promise<readonly SideLine[]> {
  const { key } = difference;
  const places = placesOf(target.description.databases, sidedKey(difference));
  const [ours, theirs] = await Promise.all([
    linesOf(source, places.source[0] ?? null, key),
    linesOf(target, places.target, key),
  ]);
  const lines = [
    ...without(ours, theirs).map((line): SideLine => ({ side: 'source', text: line })),
    ...without(theirs, ours).map((line): SideLine => ({ side: 'target', text: line })),
  ];
  const half = MOST_LINES / 2;
  const fair = (side: SideLine['side']): SideLine[] => lines.filter((line) => line.side === side);
  return lines.length <= MOST_LINES ? lines : [...fair('source').slice(0, half), ...fair('target').slice(0, half)];
}

async function linesOf(side: Side, database: number | null, key: Buffer): Promise<string[]> {
  if (database === null || (side.cluster && database !== 0)) return ['not there'];
  const node = side.nodeOf(key);
  const [type, timeLeft, usage] = await node.batch(
    [
      ['TYPE', key],
      ['PTTL', key],
      ['MEMORY', 'USAGE', key],
    ],
    database,
  );
  const name = text(type ?? null);
  if (name === 'none') return ['not there'];
  const head = [`type ${name}`, expiryLine(timeLeft)];
  const reading = READINGS[name];
  const small = typeof usage === 'number' && usage <= MOST_BYTES;
  return reading === undefined || (!small && name !== 'string')
    ? head
    : [...head, ...(await valueLines(node, database, key, reading))];
}

async function valueLines(node: Connection, database: number, key: Buffer, reading: Reading): Promise<string[]> {
  const replies = await node.batch(reading.commands(key), database);
  // It may have become another type meanwhile.
  return replies.some((reply) => reply instanceof ReplyError) ? [] : reading.lines(replies);
}

/** To the second: the exact expiries stand in the difference itself. */
function expiryLine(timeLeft: Reply | undefined): string {
  const leftMs = count(timeLeft);
  return leftMs < 0 ? 'no expiry' : `expires in ${Math.round(leftMs / 1000)} s`;
}

function groupPart(part: Reply): string {
  return Buffer.isBuffer(part) ? part.toString('utf8') : String(part);
}

/** Every line of `lines` that `others` has not, as often as it is there more often. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const times = left.get(line) ?? 0;
    if (times > 0) left.set(line, times - 1);
    return times === 0;
  });
}
