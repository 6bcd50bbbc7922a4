// What an error reply of the target means for the command it answers, as one table. Texts: the shared error objects and
// cluster redirections in server.c and cluster.c of Redis 6.0 to 8.0 and Valkey 8 and 9.

import { type NodeAddress, parseNodeAddress } from '../topology/endpoint.ts';

export interface SlotMove {
  readonly slot: number;
  /** As the target announces it. */
  readonly address: NodeAddress;
}

/**
 * conflict: a snapshot key is there already; wait: the same command may pass later; aborted: EXEC gave up because a
 * command of its block was refused; moved: another node owns the slot now; open-slot: the slot is between two nodes; fatal:
 * this connection can not go on; refused: this command will never pass.
 */
export type ReplyMeaning = 'conflict' | 'wait' | 'aborted' | 'moved' | 'open-slot' | 'fatal' | 'refused';

interface Rule {
  readonly prefix: string;
  readonly meaning: ReplyMeaning;
  /** What to do, for the person. */
  readonly remedy: string;
}

const RULES: readonly Rule[] = [
  { prefix: 'BUSYKEY', meaning: 'conflict', remedy: '' },
  { prefix: 'EXECABORT', meaning: 'aborted', remedy: '' },
  { prefix: 'OOM', meaning: 'wait', remedy: 'is out of memory: raise its maxmemory or free memory there' },
  { prefix: 'LOADING', meaning: 'wait', remedy: 'is loading its data set: nothing to do but wait' },
  { prefix: 'BUSY ', meaning: 'wait', remedy: 'is busy with a script: wait, or end it with SCRIPT KILL' },
  {
    prefix: 'MISCONF',
    meaning: 'wait',
    remedy: 'refuses writes because it can not save to disk: look at its log and disk',
  },
  {
    prefix: 'NOREPLICAS',
    meaning: 'wait',
    remedy: 'refuses writes for lack of replicas (min-replicas-to-write): bring them back',
  },
  { prefix: 'CLUSTERDOWN', meaning: 'wait', remedy: 'says its cluster is down: look at CLUSTER INFO there' },
  { prefix: 'TRYAGAIN', meaning: 'open-slot', remedy: 'is moving the slot of this key: wait until the move is done' },
  { prefix: 'MASTERDOWN', meaning: 'wait', remedy: 'has lost its master' },
  { prefix: 'MOVED', meaning: 'moved', remedy: 'has given a slot away' },
  { prefix: 'ASK', meaning: 'open-slot', remedy: 'is moving the slot of this key away: wait until the move is done' },
  { prefix: 'READONLY', meaning: 'fatal', remedy: 'has become a replica: start again with its new master' },
  { prefix: 'NOAUTH', meaning: 'fatal', remedy: 'asks for a password: give the target its credentials' },
];

export interface ReplyVerdict {
  readonly meaning: ReplyMeaning;
  readonly remedy: string;
}

/** How EXEC says that it was itself refused, and why (execCommandAbort in multi.c of Redis 6.2 and newer). */
const BECAUSE_OF = 'EXECABORT Transaction discarded because of: ';

/** The meaning of an error reply (without its minus sign). */
export function judgeReply(text: string): ReplyVerdict {
  const reason = text.startsWith(BECAUSE_OF) ? text.slice(BECAUSE_OF.length) : text;
  return RULES.find((rule) => reason.startsWith(rule.prefix)) ?? { meaning: 'refused', remedy: '' };
}

/** What a MOVED reply says: the slot, and who owns it now; null for one without an address (of a node that knows none). */
export function readMoved(text: string): SlotMove | null {
  const [, slot, place] = /^MOVED (\d+) (\S+)/.exec(text) ?? [];
  const address = place === undefined ? null : parseNodeAddress(place);
  return address === null ? null : { slot: Number(slot), address };
}
