// What notify-keyspace-events says and what it would have to say. K and E choose the channel (by key, by event), the other
// letters what is announced; A stands for g$lshzxetd (redis.conf, notify.c). Letters are only ever added.

/** Every class of A: without one of them some changes are not announced. */
const CLASSES: readonly (readonly [letter: string, what: string])[] = [
  ['g', 'DEL, EXPIRE, RENAME and the like'],
  ['$', 'strings'],
  ['l', 'lists'],
  ['s', 'sets'],
  ['h', 'hashes'],
  ['z', 'sorted sets'],
  ['x', 'expired keys'],
  ['e', 'evicted keys'],
  ['t', 'streams'],
];

export interface FlagsVerdict {
  readonly enough: boolean;
  /** Which channel to listen on; null without one. */
  readonly channel: 'keyevent' | 'keyspace' | null;
  /** What is missing, in words; empty when nothing is. */
  readonly missing: string;
}

/** Judges the setting as CONFIG GET gives it. */
export function judgeFlags(flags: string): FlagsVerdict {
  const channel = flags.includes('E') ? 'keyevent' : flags.includes('K') ? 'keyspace' : null;
  const classes = flags.includes('A') ? [] : CLASSES.filter(([letter]) => !flags.includes(letter));
  const missing = [
    ...(channel === null ? ['E or K, without which nothing is announced at all'] : []),
    ...classes.map(([letter, what]) => `${letter} (${what})`),
  ].join(', ');
  return { enough: missing === '', channel, missing };
}

/** The setting with what is missing added to it. */
export function sufficientFlags(flags: string): string {
  const { channel, enough } = judgeFlags(flags);
  if (enough) return flags;
  const classes = flags.includes('A') ? flags : `A${flags.replace(/[g$lshzxetd]/g, '')}`;
  return channel === null ? `${classes}E` : classes;
}
