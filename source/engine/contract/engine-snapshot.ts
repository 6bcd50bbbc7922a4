// The picture of the whole run at one moment, as a screen paints it.
import type { Rate } from '../rate/rate-gate.ts';
import type { ConflictRecord } from './conflict.ts';
import type { Notice } from './notice.ts';
import type { AuditEntry } from './order.ts';
import type { EngineResult } from './result.ts';
import type { ShardSnapshot } from './shard-snapshot.ts';
import type { ValidationPicture } from './validation-picture.ts';

export type RunPhase = 'starting' | 'running' | 'draining' | 'ended';

export interface EngineSnapshot {
  readonly run: string;
  readonly phase: RunPhase;
  readonly startedAtMs: number;
  /** Unix ms at which this picture was taken: a screen shows its age when the engine is silent. */
  readonly takenAtMs: number;
  readonly source: EndpointSnapshot;
  readonly target: EndpointSnapshot;
  readonly shards: readonly ShardSnapshot[];
  readonly memory: { readonly rss: number };
  readonly rate: RatePicture;
  /** The comparison under way, or the last one; null when none was asked for. */
  readonly validation: ValidationPicture | null;
  /** Newest last, at most NOTICES_KEPT. */
  readonly notices: readonly Notice[];
  /** Conflicts and what became of them, newest last, at most CONFLICTS_KEPT; all are in the run's file of conflicts. */
  readonly conflicts: readonly ConflictRecord[];
  /** Newest last, at most AUDIT_KEPT. */
  readonly audit: readonly AuditEntry[];
  readonly result: EngineResult | null;
}

export type EndpointKind = 'standalone' | 'cluster' | 'sentinel' | 'file' | 'unknown';

export interface EndpointSnapshot {
  /** As the person gave it, without credentials. */
  readonly address: string;
  readonly kind: EndpointKind;
  /** `Redis 7.0.15`, `Valkey 8.1.1`, of a file `RDB 11`; null before it was asked, or where nothing says it. */
  readonly version: string | null;
  /** Of files: how many. */
  readonly masters: number;
}

/** How fast the whole run may go. */
export interface RatePicture {
  readonly limit: Rate;
  readonly origin: 'configured' | 'schedule' | 'person';
  /** What of the target slows the run down by itself, and how far; null when nothing does. */
  readonly automatic: string | null;
}
