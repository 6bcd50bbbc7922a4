// What the chaos load writes. Most kinds change what is there (a replay or a gap shows for ever), each on keys of its own,
// so that none meets a wrong type; the constant kinds leave the same value however often they are repeated in order.
// Each unit is one command or one MULTI block, and stays within one hash tag.
import type { Random } from '../../source/demo/random.ts';
import type { Command } from '../../source/validation/connection.ts';

/** What a unit is made with. */
export interface UnitContext {
  readonly random: Random;
  /** `chaos:{<number>}:<family>`. */
  key(family: string): string;
}

export interface LoadKind {
  readonly name: string;
  /** Replaying it in order does no harm. */
  readonly constant: boolean;
  readonly unit: (context: UnitContext) => readonly Command[];
}

/** Far enough that nothing expires during a run: what a near expiry does is asked by kinds of its own. */
const FAR_MS = { least: 3_600_000, most: 36_000_000 } as const;
const LIST_LENGTH = 60;
const STREAM_LENGTH = 80;

const kind = (name: string, ...commands: ((c: UnitContext) => Command)[]): LoadKind => ({
  name,
  constant: false,
  unit: (context) => commands.map((make) => make(context)),
});

const constant = (name: string, make: (c: UnitContext) => Command): LoadKind => ({
  name,
  constant: true,
  unit: (context) => [make(context)],
});

const word = (c: UnitContext): string => `w${c.random.between(0, 40)}`;
const small = (c: UnitContext): number => c.random.between(1, 10);
const far = (c: UnitContext): number => c.random.between(FAR_MS.least, FAR_MS.most);

const CHANGING: readonly LoadKind[] = [
  kind('incr', (c) => ['INCR', c.key('counter')]),
  kind('incrby', (c) => ['INCRBY', c.key('counter'), small(c)]),
  kind('append', (c) => ['APPEND', c.key('text'), `${word(c)},`]),
  kind('lpush', (c) => ['LPUSH', c.key('list'), `l${c.random.between(0, 1e9)}`]),
  kind('rpop', (c) => ['RPOP', c.key('list')]),
  kind('ltrim', (c) => ['LTRIM', c.key('list'), 0, LIST_LENGTH]),
  kind('xadd', (c) => ['XADD', c.key('stream'), 'MAXLEN', STREAM_LENGTH, '*', 'n', small(c), 'word', word(c)]),
  kind('setnx', (c) => ['SETNX', c.key('once'), c.random.between(0, 1e9)]),
  kind('setnx again', (c) => ['DEL', c.key('once')]),
  kind('rename', (c) => ['RENAME', c.key('name'), c.key('name:new')]),
  kind('rename back', (c) => ['RENAME', c.key('name:new'), c.key('name')]),
  kind('rename fill', (c) => ['RPUSH', c.key('name'), word(c)]),
  kind('sadd', (c) => ['SADD', c.key('set'), word(c), word(c)]),
  kind('srem', (c) => ['SREM', c.key('set'), word(c)]),
  kind('spop', (c) => ['SPOP', c.key('set')]),
  kind('hincrby', (c) => ['HINCRBY', c.key('sums'), word(c), small(c)]),
  kind('hdel', (c) => ['HDEL', c.key('sums'), word(c)]),
  kind('zincrby', (c) => ['ZINCRBY', c.key('ranks'), small(c), word(c)]),
  kind('zrem', (c) => ['ZREM', c.key('ranks'), word(c)]),
  kind('expire', (c) => ['PEXPIRE', c.key('counter'), far(c)]),
  kind('expire set', (c) => ['PEXPIRE', c.key('set'), far(c)]),
  kind('persist', (c) => ['PERSIST', c.key('counter')]),
  kind('persist set', (c) => ['PERSIST', c.key('set')]),
  kind(
    'multi',
    () => ['MULTI'],
    (c) => ['INCR', c.key('both:counter')],
    (c) => ['LPUSH', c.key('both:list'), word(c)],
    (c) => ['LTRIM', c.key('both:list'), 0, LIST_LENGTH],
    (c) => ['HINCRBY', c.key('both:sums'), word(c), 1],
    () => ['EXEC'],
  ),
];

const CONSTANT: readonly LoadKind[] = [
  constant('set', (c) => ['SET', c.key('string'), `v${c.random.between(0, 1e9)}`]),
  constant('set px', (c) => ['SET', c.key('string'), `p${c.random.between(0, 1e9)}`, 'PX', far(c)]),
  constant('del', (c) => ['DEL', c.key('string')]),
  constant('hset', (c) => ['HSET', c.key('hash'), word(c), small(c), word(c), word(c)]),
  constant('sadd constant', (c) => ['SADD', c.key('members'), word(c)]),
  constant('zadd', (c) => ['ZADD', c.key('scores'), small(c), word(c)]),
];

/** Keys with seconds to live that are used and renewed, as rate limiters and sessions are: the design's promise 5. */
const SHORT_LIVED: readonly LoadKind[] = [
  kind('limiter begin', (c) => ['SET', c.key('limiter'), 1, 'PX', c.random.between(800, 4000), 'NX']),
  kind('limiter count', (c) => ['INCR', c.key('limiter')]),
  kind('limiter renew', (c) => ['PEXPIRE', c.key('limiter'), c.random.between(800, 4000)]),
  // What stays shows at the end what happened while it was about to go.
  kind('limiter keep', (c) => ['PERSIST', c.key('limiter')]),
  kind('limiter end', (c) => ['DEL', c.key('limiter')]),
  kind('session', (c) => ['SET', c.key('session'), word(c), 'PX', c.random.between(500, 3000)]),
  kind('session keep', (c) => ['PEXPIRE', c.key('session'), far(c)]),
];

/** Their names. */
export const SHORT_LIVED_KINDS: readonly string[] = SHORT_LIVED.map(({ name }) => name);

export const LOAD_KINDS: readonly LoadKind[] = [...CHANGING, ...CONSTANT, ...SHORT_LIVED];

/** Of those, the ones for a load that names none: all but the short-lived. */
export const USUAL_KINDS: readonly LoadKind[] = [...CHANGING, ...CONSTANT];

/** The kinds of these names. @throws Error for a name that is none. */
export function kindsNamed(names: readonly string[]): readonly LoadKind[] {
  return names.map((name) => {
    const found = LOAD_KINDS.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`there is no kind of load called ${name}`);
    return found;
  });
}
