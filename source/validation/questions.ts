// What is asked about each key of a batch, as it goes over the wire.

/** A command for each key, around its bulk string; `many` where one command may take all keys of a node. */
export interface Question {
  readonly head: string;
  readonly tail: string;
  readonly many?: string;
}

/** A command without a key, sent once to each node behind the others. */
export const AFTER = {
  keyspace: '*2\r\n$4\r\nINFO\r\n$8\r\nkeyspace\r\n',
  time: '*1\r\n$4\r\nTIME\r\n',
} as const;

export const QUESTIONS = {
  /** Unlike STRLEN no type makes it fail. */
  size: { head: '*3\r\n$6\r\nMEMORY\r\n$5\r\nUSAGE\r\n', tail: '' },
  /** Unlike GET it answers nil, and counts no error on the server, where the value is no string. */
  string: { head: '*2\r\n$4\r\nMGET\r\n', tail: '', many: 'MGET' },
  /** Cut off behind the largest that is small; nothing where there is no key, and an error for other types. */
  head: { head: '*4\r\n$8\r\nGETRANGE\r\n', tail: '$1\r\n0\r\n$5\r\n65536\r\n' },
  type: { head: '*2\r\n$4\r\nTYPE\r\n', tail: '' },
  expiresAt: { head: '*2\r\n$11\r\nPEXPIRETIME\r\n', tail: '' },
  timeLeft: { head: '*2\r\n$4\r\nPTTL\r\n', tail: '' },
  exists: { head: '*2\r\n$6\r\nEXISTS\r\n', tail: '' },
  hash: { head: '*2\r\n$7\r\nHGETALL\r\n', tail: '' },
  list: { head: '*4\r\n$6\r\nLRANGE\r\n', tail: '$1\r\n0\r\n$2\r\n-1\r\n' },
  set: { head: '*2\r\n$8\r\nSMEMBERS\r\n', tail: '' },
  zset: { head: '*5\r\n$6\r\nZRANGE\r\n', tail: '$1\r\n0\r\n$2\r\n-1\r\n$10\r\nWITHSCORES\r\n' },
} as const satisfies Record<string, Question>;
