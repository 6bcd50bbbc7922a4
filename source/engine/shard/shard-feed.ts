// One kind of source with everything that is particular to it: how its bytes come, what is read in which order, what that
// means for the shard's state. The pipeline runs whichever it has.
import type { SourceHistory } from '../../checkpoint/marker.ts';
import type { NodeAddress } from '../../topology/endpoint.ts';
import type { ShardChanges } from '../contract/shard-snapshot.ts';
import type { FerryError } from '../errors.ts';
import type { Recopier } from '../recopy/recopier.ts';
import type { FromWorker, ShardEnd, ShardSample } from '../run/shard-job.ts';
import type { Barrier } from './barrier.ts';
import type { ScriptParts } from './pump-script.ts';
import type { ShardLife } from './shard-life.ts';
import type { ShardPump } from './shard-pump.ts';

/** The part of a sample that only the feed knows. */
export type FeedSample = Pick<
  ShardSample,
  | 'snapshotBytesDone'
  | 'snapshotBytesTotal'
  | 'snapshotKind'
  | 'replid'
  | 'receivedOffset'
  | 'appliedOffset'
  | 'lagSeconds'
  | 'spoolBytes'
>;

export interface ShardFeed {
  /** Copies keys again while the stream goes on; null where source or target can not. */
  readonly recopier: Recopier | null;
  /** The history that its offsets belong to; null when it has none, or has not told it. */
  readonly history: SourceHistory | null;
  /** Of the stream: the source's offset at that position of what was received, and the other way round. */
  offsetAt(position: number): number;
  positionAt(offset: number): number;
  /** Keys that the source announced, where the feed knows that and not the target; else left out. */
  readonly announcedKeys?: number | null;
  /** Of a scanned source: how its changes come. */
  readonly changes?: ShardChanges;
  /** Of a scanned source: its notify-keyspace-events was changed; it is to be scanned once more. */
  lookAtChanges?(): void;
  rescan?(): void;
  /** Of a scanned source: that node has the shard's slots now. */
  moveTo?(address: NodeAddress): void;
  /** Its link waits for the next attempt: wait no longer. */
  retryNow?(): void;
  /** The conflict policy left the target's own value of that key. */
  leftAlone?(database: number, key: Buffer): void;
  /** Bytes received and not yet taken by the pump. */
  readonly queued: number;
  /** Why nothing comes, as a sentence, or null. */
  readonly silence: string | null;
  start(): void;
  /** Receives no more. false: what was received is not worth applying (a snapshot under way). */
  drain(): boolean;
  /** Everything received has been applied. */
  exhausted(): void;
  /** The source may be asked for a snapshot now. */
  permit(): void;
  /** What the source said of its offset on another connection; nothing to a file. */
  sourceAt(offset: number): void;
  sample(): FeedSample;
  /** The last word to the source, and no more after it. */
  close(): void;
  /** Gives back memory and files. */
  release(): Promise<void>;
}

/** What the pipeline offers to its feed. */
export interface FeedHost {
  readonly life: ShardLife;
  readonly barrier: Barrier;
  readonly pump: ShardPump;
  /** What a script works with, but for the bytes. */
  readonly parts: Omit<ScriptParts, 'bytes'>;
  received(bytes: number): void;
  /** Writes are being made good that no marker tells of: to be kept for a later process at once. */
  outOfOrder(): void;
  /** A write that will never take effect, with the reason. */
  refused(database: number, args: readonly Buffer[], reason: string): void;
  notice(level: 'info' | 'warn' | 'error', message: string): void;
  once(level: 'info' | 'warn', message: string): void;
  post(message: FromWorker): void;
  end(end: ShardEnd): void;
  fail(error: FerryError): void;
}
