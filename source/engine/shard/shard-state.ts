// The life of a shard as one table: in which state which event leads where. Everything else about a shard is a flag or
// a number beside the state. An event that a state does not know is a programmer's mistake and throws.
import type { ShardState } from '../contract/shard-snapshot.ts';

export type ShardEvent =
  | 'connected'
  | 'file-opened'
  | 'handshaken'
  | 'snapshot-begins'
  | 'snapshot-applied'
  | 'continued'
  | 'caught-up'
  | 'stop'
  | 'drained'
  | 'link-lost'
  | 'retry'
  | 'begin-anew'
  | 'fail';

type Row = Readonly<Partial<Record<ShardEvent, ShardState>>>;

/** Read as: in `connecting`, `connected` leads to `handshake`. */
export const SHARD_TABLE: Readonly<Record<ShardState, Row>> = {
  connecting: {
    connected: 'handshake',
    'file-opened': 'full-sync',
    'link-lost': 'retrying',
    'begin-anew': 'retrying',
    stop: 'draining',
    fail: 'failed',
  },
  handshake: {
    handshaken: 'waiting-snapshot',
    continued: 'catching-up',
    'link-lost': 'retrying',
    'begin-anew': 'retrying',
    stop: 'draining',
    fail: 'failed',
  },
  'waiting-snapshot': {
    'snapshot-begins': 'full-sync',
    continued: 'catching-up',
    'link-lost': 'retrying',
    'begin-anew': 'retrying',
    stop: 'draining',
    fail: 'failed',
  },
  'full-sync': { 'snapshot-applied': 'catching-up', 'begin-anew': 'retrying', stop: 'draining', fail: 'failed' },
  'catching-up': {
    'caught-up': 'streaming',
    'link-lost': 'retrying',
    'begin-anew': 'retrying',
    stop: 'draining',
    fail: 'failed',
  },
  streaming: { 'link-lost': 'retrying', 'begin-anew': 'retrying', stop: 'draining', fail: 'failed' },
  draining: { drained: 'done', fail: 'failed' },
  retrying: { retry: 'connecting', 'begin-anew': 'retrying', stop: 'draining', fail: 'failed' },
  done: {},
  failed: {},
};

/** The state that `event` leads to. @throws Error naming both when the table has no such way. */
export function nextShardState(state: ShardState, event: ShardEvent): ShardState {
  const next = SHARD_TABLE[state][event];
  if (next === undefined) throw new Error(`a shard that is ${state} knows no "${event}"`);
  return next;
}

/** Nothing happens to a shard any more. */
export function isFinal(state: ShardState): boolean {
  return state === 'done' || state === 'failed';
}
