// The questions about rates: what is typed for a shard or for the run, and a yes before a shard goes faster.
import { type Rate, UNLIMITED } from '../engine/rate/rate-gate.ts';
import { parseRate, rateInWords } from '../engine/rate/rate-words.ts';
import type { Acting } from './binding.ts';
import type { Question } from './confirm.ts';
import { selectedShard } from './screen-model.ts';

/** A step halves and doubles. */
const STEP = 2;
/** Halving stops here: below it a shard all but stands, for which there is the pause. */
const LEAST_BYTES = 4096;
const LEAST_OPERATIONS = 1;

const scaled = (rate: Rate, factor: number): Rate => ({
  bytesPerSecond: rate.bytesPerSecond === null ? null : Math.max(LEAST_BYTES, Math.round(rate.bytesPerSecond * factor)),
  operationsPerSecond:
    rate.operationsPerSecond === null
      ? null
      : Math.max(LEAST_OPERATIONS, Math.round(rate.operationsPerSecond * factor)),
});

/** Half of its own rate, or of what it does at present. */
export const slower = ({ state, ask }: Acting): void => {
  const shard = selectedShard(state);
  if (shard === undefined) return;
  const { rate, movedPerSecond } = shard;
  const hasRate = rate.bytesPerSecond !== null || rate.operationsPerSecond !== null;
  const from: Rate = hasRate ? rate : { bytesPerSecond: movedPerSecond, operationsPerSecond: null };
  const rateNow = scaled(from, 1 / STEP);
  if (hasRate) ask({ type: 'setRate', shards: [shard.id], rate: rateNow }, 'no', '+');
  else ask({ type: 'setRate', shards: [shard.id], rate: rateNow });
};

/** Double of its own rate, when it has one: asked, since the target will feel it. */
export const faster = ({ state, change, say }: Acting): void => {
  const rate = selectedShard(state)?.rate ?? UNLIMITED;
  if (rate.bytesPerSecond === null && rate.operationsPerSecond === null) say(({ rates }) => rates.noLimit);
  else change({ type: 'ask', dialog: 'faster' });
};

export const RATE_QUESTIONS: Readonly<Record<'rate-shard' | 'rate-all' | 'faster', Question>> = {
  'rate-shard': {
    title: (state, { messages }) => {
      const shard = selectedShard(state);
      return messages.rates.shardTitle(shard?.name ?? '', rateInWords(shard?.rate ?? UNLIMITED));
    },
    effect: ({ rates }) => rates.effect,
    command: null,
    input: (typed, { ui }) => {
      const rate = parseRate(typed);
      return rate === null ? null : { type: 'setRate', shards: ui.selected === null ? [] : [ui.selected], rate };
    },
  },
  'rate-all': {
    title: ({ snapshot }, { messages }) => messages.rates.allTitle(rateInWords(snapshot.rate.limit)),
    effect: ({ rates }) => rates.effectAll,
    command: null,
    input: (typed) => {
      if (typed.trim() === 'configured') return { type: 'setRate', shards: 'all', rate: null };
      const rate = parseRate(typed);
      return rate === null ? null : { type: 'setRate', shards: 'all', rate };
    },
  },
  faster: {
    title: (state, { messages }) => {
      const shard = selectedShard(state);
      const from = shard?.rate ?? UNLIMITED;
      return messages.rates.fasterTitle(shard?.name ?? '', rateInWords(from), rateInWords(scaled(from, STEP)));
    },
    effect: ({ rates }) => rates.fasterEffect,
    command: (state) => {
      const shard = selectedShard(state);
      return {
        type: 'setRate',
        shards: shard === undefined ? [] : [shard.id],
        rate: scaled(shard?.rate ?? UNLIMITED, STEP),
      };
    },
  },
};
