// The questions before notify-keyspace-events of a scanned source is changed, and before it is scanned once more.
import type { EngineCommand, ShardSelection } from '../engine/contract/command.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import type { Acting } from './binding.ts';
import { printable } from './cell-width.ts';
import type { Question } from './confirm.ts';
import { type ScreenState, selectedShard } from './screen-model.ts';

export type KeyspaceDialog = 'events-on' | 'events-on-all' | 'events-off' | 'events-off-all' | 'rescan';

const shown = (flags: string | null): string => (flags === '' ? '(empty)' : printable(flags ?? '?'));

/** Whether the source of the selected shard is scanned. */
export const isScanned = (state: ScreenState): boolean => (selectedShard(state)?.changes ?? null) !== null;

const only = (state: ScreenState): ShardSelection => (state.ui.selected === null ? [] : [state.ui.selected]);

const set =
  (on: boolean, isAll: boolean) =>
  (state: ScreenState): EngineCommand => ({ type: 'setKeyspaceEvents', shards: isAll ? 'all' : only(state), on });

/** Old and new value of the selected shard; of all, each value once. */
const values = (
  { snapshot }: ScreenState,
  shards: readonly ShardSnapshot[],
): readonly [before: string, after: string] => {
  const changes = (shards.length > 0 ? shards : snapshot.shards).flatMap((shard) => shard.changes ?? []);
  const once = (flags: readonly (string | null)[]): string => [...new Set(flags.map(shown))].join(' ');
  return [once(changes.map(({ flags }) => flags)), once(changes.map(({ needed }) => needed))];
};

/** Adds what is missing; where nothing is, puts back what was. */
export const askEvents = ({ state, change, say }: Acting, isAll: boolean): void => {
  const shards = isAll ? state.snapshot.shards : [selectedShard(state)].filter((shard) => shard !== undefined);
  const changes = shards.flatMap((shard) => shard.changes ?? []);
  if (changes.every(({ flags }) => flags === null)) {
    say((messages) => messages.keyspace.forbidden);
    return;
  }
  const enough = changes.every(({ flags, needed }) => flags === needed);
  const dialog = enough ? 'events-off' : 'events-on';
  change({ type: 'ask', dialog: isAll ? `${dialog}-all` : dialog });
};

export const KEYSPACE_QUESTIONS: Readonly<Record<KeyspaceDialog, Question>> = {
  'events-on': {
    title: (state, { messages, glyphs }) => {
      const shard = selectedShard(state);
      const [before, after] = values(state, shard === undefined ? [] : [shard]);
      return messages.keyspace.onTitle(printable(shard?.address ?? ''), `${before} ${glyphs.arrow} ${after}`);
    },
    effect: ({ keyspace }) => keyspace.onEffect,
    command: set(true, false),
  },
  'events-on-all': {
    title: (state, { messages, glyphs }) => {
      const [before, after] = values(state, []);
      return messages.keyspace.onTitle(printable(state.snapshot.source.address), `${before} ${glyphs.arrow} ${after}`);
    },
    effect: ({ keyspace }) => keyspace.onEffect,
    command: set(true, true),
  },
  'events-off': {
    title: (state, { messages }) => messages.keyspace.offTitle(printable(selectedShard(state)?.address ?? '')),
    effect: ({ keyspace }) => keyspace.offEffect,
    command: set(false, false),
  },
  'events-off-all': {
    title: (state, { messages }) => messages.keyspace.offTitle(printable(state.snapshot.source.address)),
    effect: ({ keyspace }) => keyspace.offEffect,
    command: set(false, true),
  },
  rescan: {
    title: (state, { messages }) => messages.keyspace.rescanTitle(selectedShard(state)?.name ?? ''),
    effect: ({ keyspace }) => keyspace.rescanEffect,
    command: (state) => ({ type: 'rescan', shards: only(state) }),
  },
};
