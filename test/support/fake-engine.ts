// An engine without sockets for the tests of screens: its clock moves only when told, every figure follows from the clock,
// and every shard passes through all states of a life. Tests may overrule single fields.
import type { CommandOutcome, EngineCommand } from '../../source/engine/contract/command.ts';
import type { Engine } from '../../source/engine/contract/engine.ts';
import type { EngineSnapshot, RatePicture, RunPhase } from '../../source/engine/contract/engine-snapshot.ts';
import { NOTICES_KEPT, type Notice, type NoticeLevel } from '../../source/engine/contract/notice.ts';
import type { AuditEntry, Order } from '../../source/engine/contract/order.ts';
import type { EngineResult } from '../../source/engine/contract/result.ts';
import type { ShardSnapshot, ShardState } from '../../source/engine/contract/shard-snapshot.ts';
import type { ValidationPicture } from '../../source/engine/contract/validation-picture.ts';
import { UNLIMITED } from '../../source/engine/rate/rate-gate.ts';

/** When each state begins, seconds after the shard's start. */
const TIMELINE: readonly (readonly [ShardState, number])[] = [
  ['connecting', 0],
  ['handshake', 1],
  ['waiting-snapshot', 2],
  ['full-sync', 4],
  ['catching-up', 24],
  ['streaming', 30],
];
const SYNC_FROM = 4;
const SYNC_SECONDS = 20;

/** Seconds between the starts of neighbouring shards. */
const STAGGER = 1.5;

const KEYS = 2_000_000;
const BYTES = 1_000_000_000;
const HISTORY_SECONDS = 300;

export interface FakeEngineOptions {
  readonly shards?: number;
  readonly startMs?: number;
  /** Stream writes stop after the full sync: a run at rest. */
  readonly isIdle?: boolean;
}

export interface FakeEngine {
  readonly engine: Engine;
  /** Every command that was dispatched. */
  readonly commands: readonly EngineCommand[];
  readonly now: () => number;
  /** Moves the clock and tells the listeners. */
  readonly advance: (ms: number) => void;
  readonly notice: (level: NoticeLevel, shard: string | null, message: string) => void;
  /** Overrules fields of one shard from now on. */
  readonly edit: (id: number, fields: Partial<ShardSnapshot>) => void;
  /** Who asked for each of the commands. */
  readonly orders: readonly (Order | null)[];
  /** Refuses every command from now on, for this reason. */
  readonly refuse: (reason: string) => void;
  /** Shows this as the run's rate from now on. */
  readonly setRate: (picture: RatePicture) => void;
  /** Shows these as the audit log from now on. */
  readonly writeAudit: (entries: readonly AuditEntry[]) => void;
  /** Shows this comparison from now on. */
  readonly showValidation: (picture: ValidationPicture | null) => void;
  /** Ends the run. */
  readonly finish: (fields?: Partial<EngineResult>) => void;
}

/** A value between 0 and 1 that looks random and is the same in every run. */
const noise = (shard: number, second: number): number => {
  const value = Math.sin(shard * 12.9898 + second * 78.233) * 43_758.5453;
  return value - Math.floor(value);
};

const stateAt = (age: number): { state: ShardState; since: number } => {
  let found: { state: ShardState; since: number } = { state: 'connecting', since: 0 };
  for (const [state, since] of TIMELINE) if (age >= since) found = { state, since };
  return found;
};

/** Starts a fake run; nothing moves until `advance` is called. */
export const createFakeEngine = (options: FakeEngineOptions = {}): FakeEngine => {
  const count = options.shards ?? 3;
  const startMs = options.startMs ?? Date.UTC(2026, 10, 21, 12, 0, 0);
  const commands: EngineCommand[] = [];
  const orders: (Order | null)[] = [];
  const listeners = new Set<() => void>();
  const paused = new Set<number>();
  const edits = new Map<number, Partial<ShardSnapshot>>();
  const notices: Notice[] = [];
  const end = Promise.withResolvers<EngineResult>();
  let nowMs = startMs;
  let phase: RunPhase = 'running';
  let result: EngineResult | null = null;
  let rate: RatePicture = { limit: UNLIMITED, origin: 'configured', automatic: null };
  let audit: readonly AuditEntry[] = [];
  let validation: ValidationPicture | null = null;
  let refusal: string | null = null;

  const opsAt = (id: number, age: number): number => {
    const { state } = stateAt(age);
    if (state === 'full-sync') return 80_000 + Math.round(noise(id, Math.floor(age)) * 20_000);
    if (state === 'catching-up') return 120_000 + Math.round(noise(id, Math.floor(age)) * 9000);
    if (state === 'streaming' && options.isIdle !== true) return 900 + Math.round(noise(id, Math.floor(age)) * 300);
    return 0;
  };
  const lagAt = (id: number, age: number): number => {
    const { state } = stateAt(age);
    if (state === 'catching-up') return Math.round(40_000_000 * (1 - (age - 24) / 6));
    if (state === 'streaming' && options.isIdle !== true) return Math.round(noise(id, Math.floor(age) + 7) * 30_000);
    return 0;
  };

  const shardAt = (id: number): ShardSnapshot => {
    const age = Math.max(0, (nowMs - startMs) / 1000 - id * STAGGER);
    const { state, since } = stateAt(age);
    const share = Math.min(1, Math.max(0, (age - SYNC_FROM) / SYNC_SECONDS));
    const hasStream = state === 'catching-up' || state === 'streaming';
    const seconds = Math.min(HISTORY_SECONDS, Math.floor(age));
    const history = (at: (id: number, age: number) => number): number[] =>
      Array.from({ length: seconds }, (_, index) => at(id, Math.floor(age) - seconds + index + 1));
    const received =
      state === 'streaming' ? 77_120_448_201 + Math.floor(options.isIdle ? 0 : age) * 50_000 : 77_120_448_201;
    return {
      id,
      name: `shard-${id}`,
      address: `10.0.1.${10 + id}:6379`,
      state,
      stateSinceMs: startMs + (id * STAGGER + since) * 1000,
      waitingFor: state === 'waiting-snapshot' ? 'the source is busy with another BGSAVE' : null,
      paused: paused.has(id),
      throttled: null,
      conflictPolicy: 'panic',
      keys: { done: Math.round(KEYS * share), total: KEYS },
      bytes: { done: Math.round(BYTES * share), total: BYTES },
      etaSeconds: state === 'full-sync' && share >= 0.01 ? Math.ceil(SYNC_SECONDS * (1 - share)) : null,
      replid: age < SYNC_FROM ? null : '8f1c5b0a9d3e4c7f8a6b2d1e0f9c8b7a6d5ea92e',
      offset: { received: hasStream ? received : null, applied: hasStream ? received - lagAt(id, age) : null },
      lagBytes: hasStream ? lagAt(id, age) : null,
      lagSeconds: hasStream ? lagAt(id, age) / 5_000_000 : null,
      opsPerSecond: paused.has(id) ? 0 : opsAt(id, age),
      bytesPerSecond: opsAt(id, age) * 500,
      movedPerSecond: opsAt(id, age) * 500,
      rate: UNLIMITED,
      budget: null,
      commands: hasStream ? Math.round(((options.isIdle === true ? 30 : age) - 24) * 1000) : 0,
      conflicts: { rewritten: 0, ignored: 0, alreadyThere: 0, dropped: 0 },
      conflictStanding: { question: null, collected: 0, kept: 0 },
      errors: 0,
      diverged: 0,
      leftovers: 0,
      queued: state === 'catching-up' ? lagAt(id, age) : 0,
      spoolBytes: 0,
      held: hasStream ? 1200 : 0,
      inFlightBytes: hasStream && options.isIdle !== true ? 16_384 : 0,
      keyspaceEvents: age < 1 ? null : id === 1 ? 'AKE' : '',
      changes: null,
      targets: [`10.9.4.${20 + id}:6379`, `10.9.4.${40 + id}:6379`],
      slots: `${id * 100}-${id * 100 + 99}`,
      slotsArriving: 0,
      snapshotKind: age < SYNC_FROM ? null : 'diskless',
      lastError: null,
      history: { opsPerSecond: history(opsAt), lagBytes: history(lagAt) },
      verified: null,
      ...edits.get(id),
    };
  };

  const snapshot = (): EngineSnapshot => ({
    run: 'run-1',
    phase,
    startedAtMs: startMs,
    takenAtMs: nowMs,
    source: { address: '10.0.1.10:6379', kind: 'cluster', version: 'Redis 7.0.15', masters: count },
    target: { address: '10.9.4.20:6379', kind: 'cluster', version: 'Valkey 8.1.1', masters: count },
    shards: Array.from({ length: count }, (_, id) => shardAt(id)),
    memory: { rss: 132 * 1024 * 1024 },
    rate,
    validation,
    notices: notices.slice(-NOTICES_KEPT),
    conflicts: [],
    audit,
    result,
  });

  const wake = (): void => {
    for (const listener of listeners) listener();
  };

  const dispatch = async (command: EngineCommand, order?: Order): Promise<CommandOutcome> => {
    commands.push(command);
    orders.push(order ?? null);
    if (refusal !== null) return { accepted: false, message: refusal };
    if (command.type === 'stop') {
      phase = 'draining';
      wake();
      return { accepted: true, message: 'Draining what was received.' };
    }
    if (command.type === 'repair') return { accepted: true, message: `Repaired ${command.keys.length} keys.` };
    if (command.type !== 'pause' && command.type !== 'resume')
      return { accepted: true, message: `Asked: ${command.type}.` };
    const ids = command.shards === 'all' ? Array.from({ length: count }, (_, id) => id) : command.shards;
    for (const id of ids) {
      if (command.type === 'pause') paused.add(id);
      else paused.delete(id);
    }
    wake();
    return { accepted: true, message: `${command.type === 'pause' ? 'Paused' : 'Resumed'} ${ids.length} shard(s).` };
  };

  return {
    engine: {
      snapshot,
      subscribe: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      dispatch,
      ended: end.promise,
    },
    commands,
    orders,
    refuse: (reason) => {
      refusal = reason;
    },
    setRate: (picture) => {
      rate = picture;
      wake();
    },
    writeAudit: (entries) => {
      audit = entries;
      wake();
    },
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
      wake();
    },
    notice: (level, shard, message) => {
      notices.push({ id: notices.length, timeMs: nowMs, level, shard, message });
      wake();
    },
    edit: (id, fields) => {
      edits.set(id, { ...edits.get(id), ...fields });
      wake();
    },
    showValidation: (picture) => {
      validation = picture;
      wake();
    },
    finish: (fields = {}) => {
      const { shards } = snapshot();
      phase = 'ended';
      result = {
        outcome: 'completed',
        exitCode: 0,
        seconds: (nowMs - startMs) / 1000,
        keys: shards.reduce((sum, shard) => sum + shard.keys.done, 0),
        commands: 12_345,
        bytes: 3_000_000_000,
        conflicts: { rewritten: 0, ignored: 0, alreadyThere: 0, dropped: 0 },
        refused: 0,
        refusals: [],
        shards: shards.map(({ name, address, state, keys, commands: applied, offset }) => ({
          name,
          address,
          state,
          keys: keys.done,
          commands: applied,
          refused: 0,
          offset,
          error: null,
        })),
        message: null,
        ...fields,
      };
      wake();
      end.resolve(result);
    },
  };
};
