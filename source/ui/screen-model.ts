// The store between engine and React: the newest picture, the notices of the whole run and what the person looks at.
// It polls at a calm rate instead of following each wake-up of the engine, publishes only what differs for the eye, and
// waits while the terminal has not taken the last frame: fewer bytes are the only cure for a slow link.
import { isDeepStrictEqual } from 'node:util';
import type { EngineCommand } from '../engine/contract/command.ts';
import type { ConflictRecord } from '../engine/contract/conflict.ts';
import type { Engine } from '../engine/contract/engine.ts';
import type { EngineSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { Notice } from '../engine/contract/notice.ts';
import type { ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { type Asked, expected, isUnseen } from './expected.ts';
import { changeUi, INITIAL_UI, type UiAction, type UiState } from './ui-state.ts';

/** Notices, and conflicts, kept for their views; a snapshot carries only the newest, older ones are in the log file. */
export const NOTICES_ON_SCREEN = 5000;

export interface ScreenState {
  readonly snapshot: EngineSnapshot;
  readonly notices: readonly Notice[];
  readonly conflicts: readonly ConflictRecord[];
  readonly ui: UiState;
  /** The screen's clock as far as it shows, unix ms: ages and the silence of the engine are counted from it. */
  readonly nowMs: number;
}

/** The shard that keys act on. */
export const selectedShard = ({ snapshot, ui }: Pick<ScreenState, 'snapshot' | 'ui'>): ShardSnapshot | undefined =>
  snapshot.shards.find(({ id }) => id === ui.selected);

export interface ScreenModel {
  readonly get: () => ScreenState;
  /** The same with what was asked for and no picture shows yet: what keys and questions go by. */
  readonly expected: () => ScreenState;
  /** Counts on a command that is sent now; what it answers is called with whether the engine has accepted it. */
  readonly expect: (command: EngineCommand) => (isAccepted: boolean) => void;
  readonly subscribe: (listener: () => void) => () => void;
  /** Changes what the person looks at; seen at once. */
  readonly change: (action: UiAction) => void;
  /** Takes a new picture now, for instance after the answer to a command. */
  readonly refresh: () => void;
  readonly now: () => number;
  readonly close: () => void;
}

export interface ScreenModelOptions {
  readonly refreshHz: number;
  /** The person only watches. */
  readonly readOnly: boolean;
  readonly now: () => number;
  /** Whether the terminal has still to take what was written. */
  readonly isBackedUp: () => boolean;
  /** All bytes written to the terminal so far. */
  readonly bytesWritten: () => number;
}

/** Keeps the old object where nothing differs, so that memoised components skip it. */
const shareShards = (old: readonly ShardSnapshot[], next: readonly ShardSnapshot[]): readonly ShardSnapshot[] => {
  const shared = next.map((shard, index) => {
    const before = old[index];
    return before !== undefined && isDeepStrictEqual(before, shard) ? before : shard;
  });
  return shared.length === old.length && shared.every((shard, index) => shard === old[index]) ? old : shared;
};

/** Memory in steps that matter: it wobbles by pages all the time. */
const MEMORY_STEP = 1024 * 1024;

const sameForTheEye = (old: EngineSnapshot, next: EngineSnapshot): boolean =>
  old.shards === next.shards &&
  old.phase === next.phase &&
  old.result === next.result &&
  old.validation === next.validation &&
  Math.round(old.memory.rss / MEMORY_STEP) === Math.round(next.memory.rss / MEMORY_STEP) &&
  old.audit.at(-1)?.id === next.audit.at(-1)?.id &&
  isDeepStrictEqual(old.source, next.source) &&
  isDeepStrictEqual(old.target, next.target);

/** What a picture brings that is newer than what was kept. */
const addNewer = <T extends { readonly id: number }>(kept: readonly T[], fresh: readonly T[]): readonly T[] => {
  const last = kept.at(-1)?.id ?? -1;
  const added = fresh.filter(({ id }) => id > last);
  return added.length === 0 ? kept : [...kept, ...added].slice(-NOTICES_ON_SCREEN);
};

/**
 * What the screen may send a second by itself; a frame that cost more is followed by a longer pause. On a link of 20 KiB/s
 * a key press then still shows at once (measured: twice this rate made it wait for most of a second).
 */
const BYTES_A_SECOND = 8192;
const PAUSE_MOST_MS = 1000;

/** Ages are shown in steps of ten seconds once they are that old: a screen at rest paints as seldom. */
const YOUNG_MS = 10_000;

/** Silence from which the engine's is shown, see the header. */
const SILENT_MS = 3000;

const wholeSecond = (timeMs: number): number => Math.floor(timeMs / 1000) * 1000;

/**
 * The clock as far as it shows: whole seconds while something on the screen counts them, else ten.
 * @param shown what was shown last: an age never goes back, unless the clock of the machine does.
 */
const shownClock = (
  { snapshot, ui, nowMs: shown }: Pick<ScreenState, 'snapshot' | 'ui' | 'nowMs'>,
  nowMs: number,
): number => {
  const counts =
    ui.flash !== null ||
    nowMs - snapshot.startedAtMs < YOUNG_MS ||
    nowMs - snapshot.takenAtMs >= SILENT_MS ||
    snapshot.shards.some((shard) => nowMs - shard.stateSinceMs <= YOUNG_MS);
  if (counts) return wholeSecond(nowMs);
  const coarse = Math.floor(nowMs / YOUNG_MS) * YOUNG_MS;
  return shown <= nowMs ? Math.max(coarse, shown) : coarse;
};

/** Starts polling `engine`; `close` ends it. */
export const createScreenModel = (engine: Engine, options: ScreenModelOptions): ScreenModel => {
  const first = engine.snapshot();
  let state: ScreenState = {
    snapshot: first,
    notices: addNewer([], first.notices),
    conflicts: addNewer([], first.conflicts),
    ui: { ...INITIAL_UI, readOnly: options.readOnly, selected: first.shards[0]?.id ?? null },
    nowMs: wholeSecond(options.now()),
  };
  let isDirty = false;
  let pauseUntilMs = 0;
  let sentBefore = options.bytesWritten();
  let asked: readonly Asked[] = [];
  const listeners = new Set<() => void>();
  const publish = (next: ScreenState): void => {
    state = next;
    for (const listener of listeners) listener();
  };

  /** The state of the screen after time has passed: a sentence that is over, and a first shard to act on. */
  const agedUi = (shards: readonly ShardSnapshot[]): UiState => {
    const { ui } = state;
    const flash = ui.flash !== null && options.now() < ui.flash.untilMs ? ui.flash : null;
    const selected = ui.selected ?? shards[0]?.id ?? null;
    return flash === ui.flash && selected === ui.selected ? ui : { ...ui, flash, selected };
  };

  const refresh = (): void => {
    isDirty = false;
    const taken = engine.snapshot();
    const shards = shareShards(state.snapshot.shards, taken.shards);
    const snapshot: EngineSnapshot = { ...taken, shards };
    asked = asked.filter((one) => isUnseen(one, snapshot));
    const notices = addNewer(state.notices, taken.notices);
    const conflicts = addNewer(state.conflicts, taken.conflicts);
    const ui = agedUi(shards);
    const nowMs = shownClock({ snapshot, ui, nowMs: state.nowMs }, options.now());
    const isSame =
      sameForTheEye(state.snapshot, snapshot) &&
      notices === state.notices &&
      conflicts === state.conflicts &&
      ui === state.ui;
    if (isSame && nowMs === state.nowMs) return;
    const sent = options.bytesWritten();
    pauseUntilMs = options.now() + Math.min(PAUSE_MOST_MS, ((sent - sentBefore) / BYTES_A_SECOND) * 1000);
    sentBefore = sent;
    publish({ snapshot, notices, conflicts, ui, nowMs });
  };

  const timer = setInterval(() => {
    // A clock that was set back must not hold the screen until it is as late again.
    const pauseMs = pauseUntilMs - options.now();
    if (options.isBackedUp() || (pauseMs > 0 && pauseMs <= PAUSE_MOST_MS)) return;
    // A silent engine is not asked again, but its silence is counted.
    if (isDirty || shownClock(state, options.now()) !== state.nowMs) refresh();
  }, 1000 / options.refreshHz);
  const unsubscribe = engine.subscribe(() => {
    isDirty = true;
  });
  // The end of the run shows at once, whatever the rate.
  void engine.ended.then(refresh);

  return {
    get: () => state,
    expected: () => ({ ...state, snapshot: expected(state.snapshot, asked) }),
    expect: (command) => {
      const one: Asked = { command, answeredAtMs: null };
      asked = [...asked, one];
      return (isAccepted) => {
        const { takenAtMs } = engine.snapshot();
        asked = asked.flatMap((other) => {
          if (other !== one) return [other];
          return isAccepted ? [{ ...one, answeredAtMs: takenAtMs }] : [];
        });
      };
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    change: (action) => {
      const ui = changeUi(state.ui, action);
      if (ui !== state.ui) publish({ ...state, ui, nowMs: shownClock({ ...state, ui }, options.now()) });
    },
    refresh,
    now: options.now,
    close: () => {
      clearInterval(timer);
      unsubscribe();
      listeners.clear();
    },
  };
};
