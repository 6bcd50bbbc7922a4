// How each state of a shard looks: one ASCII glyph and a tone beside its word, so that nobody needs colours to tell them
// apart, and how urgent it is. Adding a state to the contract breaks the compile here until it has a look.
import type { ShardSnapshot, ShardState } from '../engine/contract/shard-snapshot.ts';
import type { Tone } from './theme.ts';

interface StateLook {
  readonly glyph: string;
  readonly tone: Tone;
  /** The higher, the more it needs a person; `s` sorts by it. */
  readonly severity: number;
}

const LOOKS: Readonly<Record<ShardState, StateLook>> = {
  connecting: { glyph: '.', tone: 'dim', severity: 4 },
  handshake: { glyph: ':', tone: 'dim', severity: 4 },
  'waiting-snapshot': { glyph: '.', tone: 'dim', severity: 3 },
  'full-sync': { glyph: '>', tone: 'busy', severity: 2 },
  'catching-up': { glyph: '+', tone: 'accent', severity: 2 },
  streaming: { glyph: '=', tone: 'good', severity: 1 },
  draining: { glyph: '-', tone: 'busy', severity: 2 },
  done: { glyph: '#', tone: 'good', severity: 0 },
  retrying: { glyph: '!', tone: 'attention', severity: 8 },
  failed: { glyph: 'x', tone: 'bad', severity: 9 },
};

/** The looks of the two flags that may stand beside a state. */
export const FLAG_LOOKS = {
  paused: { glyph: '|', tone: 'warn' },
  throttled: { glyph: '~', tone: 'warn' },
} as const;

/** The look of a shard's state alone. */
export const stateLook = (state: ShardState): StateLook => LOOKS[state];

/** The look of the flag that stands beside the state, or null when the shard runs freely. */
export const flagLook = (shard: ShardSnapshot): { readonly glyph: string; readonly tone: Tone } | null => {
  if (shard.paused) return FLAG_LOOKS.paused;
  return shard.throttled === null ? null : FLAG_LOOKS.throttled;
};

/** How urgently a shard needs a person; refused writes and a throttle raise it above its state. */
export const severity = (shard: ShardSnapshot): number => {
  const own = LOOKS[shard.state].severity;
  if (shard.errors > 0) return Math.max(own, 7);
  if (shard.throttled !== null) return Math.max(own, 6);
  if (shard.paused) return Math.max(own, 5);
  return own;
};
