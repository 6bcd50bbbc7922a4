// Every word that the screen, the plain lines and the final result print, as one type: a language that misses a word does
// not compile. Contract words (panic, rewrite, ignore, settings, reasons from the engine) are not translated.
import type { ConflictDifference, ConflictPolicy, ConflictRecord } from '../engine/contract/conflict.ts';
import type { EndpointSnapshot } from '../engine/contract/engine-snapshot.ts';
import type { NoticeLevel } from '../engine/contract/notice.ts';
import type { Outcome } from '../engine/contract/result.ts';
import type { ShardState } from '../engine/contract/shard-snapshot.ts';
import { MESSAGES_EN } from './messages-en.ts';
import { MESSAGES_ZH } from './messages-zh.ts';
import type { ValidationBindingId, ValidationMessages } from './validation-messages.ts';

/** The languages of `--lang`. */
export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Every binding of the keymap has words under its id. */
export type BindingId =
  | 'move'
  | 'page'
  | 'ends'
  | 'open'
  | 'back'
  | 'overview'
  | 'detail'
  | 'log'
  | 'audit'
  | 'pause'
  | 'pauseAll'
  | 'conflicts'
  | 'search'
  | 'policy'
  | 'policyAll'
  | 'events'
  | 'eventsAll'
  | 'rescan'
  | 'retry'
  | 'restart'
  | 'skip'
  | 'leftovers'
  | 'slower'
  | 'faster'
  | 'rate'
  | 'rateAll'
  | 'layout'
  | 'sort'
  | 'help'
  | 'repaint'
  | 'finish'
  | 'stop'
  | 'quit'
  | 'leave'
  | ValidationBindingId;

export interface KeyLabel {
  /** In the help. */
  readonly help: string;
  /** In the footer, where room is short; only for the keys that stand there. */
  readonly hint?: string;
}

export interface Messages {
  readonly state: Readonly<Record<ShardState, string>>;
  readonly paused: string;
  readonly throttled: string;
  readonly kind: Readonly<Record<EndpointSnapshot['kind'], string>>;
  readonly outcome: Readonly<Record<Outcome, string>>;
  readonly level: Readonly<Record<NoticeLevel, string>>;
  readonly snapshotKind: { readonly disk: string; readonly diskless: string };
  readonly screen: {
    readonly overview: string;
    readonly detail: string;
    readonly log: string;
    readonly audit: string;
    readonly validation: string;
    readonly conflicts: string;
    readonly help: string;
  };
  readonly keys: Readonly<Record<BindingId, KeyLabel>>;
  /** What stands in place of them on a screen that is attached to another process's run. */
  readonly attachedKeys: Readonly<Pick<Record<BindingId, KeyLabel>, 'quit'>>;

  /** Short labels before a figure. */
  readonly label: {
    readonly shard: string;
    readonly state: string;
    readonly source: string;
    readonly target: string;
    readonly targets: string;
    readonly progress: string;
    readonly keys: string;
    readonly bytes: string;
    readonly eta: string;
    readonly rate: string;
    readonly inbound: string;
    readonly lag: string;
    readonly memory: string;
    readonly run: string;
    readonly conflict: string;
    readonly events: string;
    readonly queued: string;
    /** Keys that have changed and are not fetched yet. */
    readonly updates: string;
    readonly onDisk: string;
    readonly diverged: string;
    readonly leftovers: string;
    readonly inFlight: string;
    readonly held: string;
    readonly refused: string;
    readonly verified: string;
    readonly commands: string;
    readonly replid: string;
    readonly offset: string;
    readonly slots: string;
    readonly snapshot: string;
    readonly why: string;
    readonly lastError: string;
    readonly note: string;
    readonly notices: string;
    readonly peak: string;
    readonly now: string;
  };

  readonly opsPerSecond: string;
  readonly clusterOf: (masters: number) => string;
  readonly streaming: (ready: number, all: number) => string;
  readonly doneCount: (done: number, all: number) => string;
  readonly failed: (count: number) => string;
  readonly retrying: (count: number) => string;
  readonly pausedCount: (count: number) => string;
  readonly starting: string;
  readonly draining: string;
  readonly noShards: string;
  readonly noNotices: string;
  readonly noUpdate: (age: string) => string;
  /** Why a shard shows less than its node has. */
  readonly slotsArriving: (count: number) => string;
  readonly conflictCounts: (policy: ConflictPolicy, rewritten: string, ignored: string, equal: string) => string;
  readonly applied: string;
  readonly received: string;
  readonly eventsOff: string;
  /** Of a scanned source. */
  readonly keyspace: {
    readonly empty: string;
    readonly enough: string;
    readonly lacking: string;
    readonly tracking: string;
    readonly forbidden: string;
    readonly onTitle: (address: string, change: string) => string;
    readonly onEffect: string;
    readonly offTitle: (address: string) => string;
    readonly offEffect: string;
    readonly rescanTitle: (shard: string) => string;
    readonly rescanEffect: string;
  };
  readonly isPaused: string;
  readonly pausedByYou: string;
  readonly budget: {
    readonly full: string;
    readonly toFull: (time: string) => string;
    readonly toFullSync: (time: string) => string;
    readonly join: string;
  };
  readonly isThrottled: (rule: string) => string;
  readonly nothingWrong: string;
  readonly moreAbove: (count: number) => string;
  readonly moreBelow: (count: number) => string;
  readonly logFile: (path: string) => string;
  readonly wholeRun: string;
  readonly sortedBySeverity: string;
  readonly sortedByShard: string;
  readonly shownAsLines: string;
  readonly shownAsPanels: string;
  readonly undo: (message: string, key: string) => string;
  readonly engineGaveNoAnswer: (reason: string) => string;

  readonly dialog: {
    readonly answers: string;
    readonly stopTitle: string;
    readonly stopEffect: string;
    readonly typeName: (target: string) => string;
    readonly otherName: string;
    readonly typeText: string;
    readonly unreadable: string;
    readonly finishTitle: string;
    readonly finishEffect: string;
    readonly finishEarlyEffect: string;
    readonly finishNotCompared: string;
    readonly finishComparing: string;
    readonly finishDiffers: (keys: number) => string;
    readonly leaveTitle: string;
    readonly leaveEffect: string;
    readonly pauseAllTitle: (shards: number) => string;
    readonly pauseAllEffect: string;
    readonly resumeAllTitle: (shards: number) => string;
    readonly resumeAllEffect: string;
  };
  /** The view of comparisons, and their verdicts beside the shards. */
  readonly validation: ValidationMessages;
  readonly conflict: {
    readonly difference: Readonly<Record<ConflictDifference, string>>;
    readonly field: {
      readonly type: string;
      readonly size: string;
      readonly bytes: string;
      readonly expires: string;
      readonly encoding: string;
      readonly preview: string;
    };
    readonly never: string;
    readonly nothing: string;
    readonly snapshotSide: string;
    readonly targetSide: string;
    readonly keyTitle: (shard: string, difference: string) => string;
    readonly keyOptions: readonly (readonly [key: string, text: string])[];
    readonly collectedTitle: (shard: string, count: string) => string;
    readonly collectedOptions: readonly (readonly [key: string, text: string])[];
    readonly allShards: string;
    readonly policyTitle: (shards: string, policy: string) => string;
    readonly policyNote: string;
    readonly policyOptions: readonly (readonly [key: string, text: string])[];
    readonly outcome: Readonly<Record<ConflictRecord['outcome'], string>>;
    readonly none: string;
    readonly allIn: (path: string) => string;
    readonly searchedFor: (text: string) => string;
    readonly searchTitle: string;
    readonly rewriteShardTitle: (shard: string) => string;
    readonly rewriteAllTitle: string;
    readonly rewriteEffect: string;
    readonly rewriteKeyTitle: (key: string) => string;
    readonly rewriteKeyEffect: (target: string) => string;
    readonly rewriteCollectedTitle: (shard: string) => string;
  };
  readonly ctrlCAgain: string;
  readonly stopAsked: string;
  readonly shardActs: {
    readonly retryTitle: (shard: string) => string;
    readonly restartTitle: (shard: string) => string;
    readonly skipTitle: (shard: string) => string;
    readonly anewEffect: string;
    readonly skipEffect: string;
    readonly leftoversTitle: (shard: string, count: string) => string;
    readonly leftoversEffect: string;
  };
  readonly rates: {
    readonly noLimit: string;
    readonly shardTitle: (shard: string, rate: string) => string;
    readonly allTitle: (rate: string) => string;
    readonly effect: string;
    readonly effectAll: string;
    readonly fasterTitle: (shard: string, from: string, to: string) => string;
    readonly fasterEffect: string;
    readonly atMost: (rate: string) => string;
  };
  readonly readOnly: string;
  readonly readOnlyKey: string;
  readonly audit: {
    readonly by: (client: string) => string;
    readonly yes: string;
    readonly target: (name: string) => string;
    readonly refused: string;
    readonly empty: string;
  };
  readonly pasteIgnored: string;
  readonly helpTitle: string;
  readonly helpLegend: string;
  readonly leaveHint: string;

  /** The question before the screen, when a run was left unfinished. */
  readonly resume: {
    readonly found: (run: string, savedAt: string) => string;
    readonly question: string;
  };

  /** The final lines, after the screen has gone. */
  readonly result: {
    readonly headline: (outcome: string, exitCode: number, duration: string) => string;
    readonly amounts: (keys: string, commands: string, bytes: string) => string;
    readonly conflicts: (rewritten: string, ignored: string, equal: string) => string;
    readonly dropped: (count: string) => string;
    readonly refused: (count: string) => string;
    readonly refusal: (shard: string, database: number, command: string, key: string | null, reason: string) => string;
    readonly moreRefusals: (count: string) => string;
    readonly shard: (name: string, address: string, state: string, keys: string, commands: string) => string;
    readonly shardError: (name: string, error: string) => string;
  };
}

/** The words of a language. */
export const messagesFor = (language: Language): Messages => (language === 'zh' ? MESSAGES_ZH : MESSAGES_EN);
