// A server or cluster as the target of one shard: writers to every node, the snapshot's keys and the stream's commands on
// their way to them, and the lane of values that need commands.
import { ExpiryHold } from '../../protocol/held-expiry.ts';
import { acceptedVersions } from '../../rdb/payload-version.ts';
import type { ByteWindow } from '../../readers/byte-window.ts';
import type { SnapshotSink, WriteManner } from '../../readers/snapshot-sink.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import { DatabaseMap } from '../../transforms/database-map.ts';
import { MappedSink } from '../../transforms/mapped-sink.ts';
import { type BatchKind, BufferPool } from '../../writers/batch.ts';
import { KeptKeys } from '../../writers/kept-keys.ts';
import { NativeLane } from '../../writers/native-lane.ts';
import { lessonOf, readRestore } from '../../writers/refused-restores.ts';
import { SnapshotWriter } from '../../writers/snapshot-writer.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { RefusedCommand, WriterOwner } from '../../writers/writer-owner.ts';
import type { ConflictDesk, DeskHost } from '../conflicts/conflict-desk.ts';
import { makeConflictDesk } from '../conflicts/target-conflicts.ts';
import { messageOf } from '../errors.ts';
import type { ServerDestination, ShardCheckpoint, ShardJob } from '../run/shard-job.ts';
import type { Barrier } from '../shard/barrier.ts';
import type { CommandTaker, ShardTarget, TargetHost } from '../shard/shard-target.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { HeldPayloads } from './held-payloads.ts';
import { KeysBefore } from './keys-before.ts';
import { lossSentence } from './loss-sentences.ts';
import { NativePlaces } from './native-places.ts';
import { SnapshotIntake } from './snapshot-intake.ts';
import { hasFunctions, nativeAbilities, takesExpiryInSet } from './target-abilities.ts';
import { makeTargetCommands } from './target-commands.ts';
import { TargetEverywhere } from './target-everywhere.ts';
import { asTargetLoss } from './target-loss.ts';
import { TargetStream } from './target-stream.ts';
import { makeTargetNodes } from './target-writers.ts';

/** How long the target may take to take redferry's own keys away at the end. */
const REMOVE_MS = 10_000;

/** Below any `timeout` that a target may have. */
const KEEP_ALIVE_MS = 500;
/** Where nobody looks at the screen the log says it. */
const HALTED =
  'The target has a key already, with another value: the shard has halted and its screen asks what to do (redferry attach); redferry ctl set conflict=ignore or conflict=rewrite decides for all keys.';

export class ServerTarget implements ShardTarget {
  readonly sink: SnapshotSink;
  readonly #intake: SnapshotIntake;
  readonly #databases: DatabaseMap;
  readonly commands: CommandTaker;
  readonly setTakesExpiry: boolean;
  readonly conflicts: ConflictDesk;
  readonly #job: ShardJob;
  readonly #destination: ServerDestination;
  readonly #slots: OwnedSlots | null;
  readonly #host: TargetHost;
  readonly #pool: BufferPool;
  readonly #owner: WriterOwner;
  readonly #nodes: TargetNodes;
  readonly #stream: TargetStream;
  /** Resolves when everything sent is answered. */
  #settled: (() => void) | null = null;
  readonly #writer: SnapshotWriter;
  readonly #places: NativePlaces;
  readonly #lane: NativeLane;
  #inSnapshot = true;
  #keepAliveTimer: NodeJS.Timeout | null = null;
  readonly #hold: ExpiryHold;
  readonly #kept: KeptKeys;
  /** Of a target that was not empty. */
  readonly #before: KeysBefore | null;
  /** Of a second full sync: until it is known what of the first the source does not have any more. */
  #lookingForGone: Promise<void> = Promise.resolve();
  #destroyed = false;

  /** @param slots of a cluster's node: those that the pipeline carries. */
  constructor(
    job: ShardJob,
    destination: ServerDestination,
    slots: OwnedSlots | null,
    window: ByteWindow,
    barrier: Barrier,
    host: TargetHost,
  ) {
    this.#job = job;
    this.#destination = destination;
    this.#slots = slots;
    this.#host = host;
    this.#pool = new BufferPool(job.limits.batch);
    this.#owner = this.#makeOwner();
    this.#kept = new KeptKeys(job.limits.spoolDirectory, `redferry-kept-${job.name}`, job.keptFile);
    this.#before = KeysBefore.of(job, (message) => host.once('warn', message));
    this.#nodes = makeTargetNodes(job, destination, this.#owner, this.#pool, job.attempt > 1 || job.resume !== null);
    this.conflicts = makeConflictDesk(job, destination, this.#nodes, this.#deskHost());
    const { version } = destination.topology;
    this.setTakesExpiry = takesExpiryInSet(version);
    this.#hold = new ExpiryHold({ keys: !destination.importMode, fields: nativeAbilities(version).fieldExpiry });
    const payloads = new HeldPayloads(
      acceptedVersions(version),
      () => {},
      (at) => this.#hold.field(at),
    );
    this.#hold.payloads = (payload) => payloads.hold(payload);
    this.#writer = new SnapshotWriter(this.#nodes, window, {
      accepted: acceptedVersions(version),
      setTakesExpiry: this.setTakesExpiry,
      hold: this.#hold,
      lost: (loss) => host.once('warn', lossSentence(loss, version.text)),
    });
    this.#places = new NativePlaces(job, destination, this.#nodes);
    this.#lane = this.#makeLane(version);
    this.#databases = new DatabaseMap(job.databases);
    const everywhere = new TargetEverywhere(destination, barrier, host);
    this.#intake = new SnapshotIntake(this.#nodes, this.#writer, this.#lane, this.#places, {
      hold: this.#hold,
      takesFunctions: job.keyless.function === 'forward' && hasFunctions(version),
      blocked: () => barrier.closed,
      refused: (database, args, reason) => host.refused(database, args, reason),
      once: (level, message) => host.once(level, message),
      broadcast: (args) => everywhere.command(args),
      library: (code) => everywhere.library(code),
      taken: () => host.taken(),
    });
    const { router, commands } = makeTargetCommands({
      job,
      destination,
      nodes: this.#nodes,
      hold: this.#hold,
      kept: this.#kept,
      before: this.#before,
      databases: this.#databases,
      host,
      broadcast: (args) => everywhere.command(args),
    });
    this.commands = commands;
    this.sink = this.#databases.isIdentity ? this.#intake : new MappedSink(this.#intake, this.#databases);
    this.#stream = new TargetStream({
      job,
      destination,
      slots,
      nodes: this.#nodes,
      router,
      owner: this.#owner,
      pool: this.#pool,
      host,
    });
  }

  get announcedKeys(): number | null {
    return this.#intake.announced;
  }

  get saturated(): boolean {
    if (this.#inSnapshot && this.conflicts.saturated) return true;
    return this.#stream.saturated || this.#nodes.saturated || !this.#lane.idle;
  }

  get outOfOrder(): boolean {
    return this.#stream.outOfOrder;
  }

  get replaying(): boolean {
    return this.#stream.replaying;
  }

  get idle(): boolean {
    return this.conflicts.idle && this.#stream.idle && this.#nodes.idle && this.#lane.idle;
  }

  get settledPosition(): number {
    return Math.min(this.#nodes.settledPosition, this.#stream.floor, this.conflicts.position);
  }

  get held(): number {
    return this.#hold.count;
  }

  get kept(): number {
    return this.#kept.size;
  }

  get checkpoint(): ShardCheckpoint | null {
    const { checkpoint } = this.#stream;
    return checkpoint === null ? null : { ...checkpoint, kept: this.kept };
  }

  get inFlightBytes(): number {
    return this.#nodes.inFlightBytes;
  }

  get waiting(): string | null {
    const writers = this.#stream.waiting ?? this.#nodes.waiting ?? this.#lane.waiting;
    return writers ?? this.conflicts.waiting ?? this.#stream.parkedSentence;
  }

  async open(): Promise<void> {
    if (this.#job.resume === null) this.#kept.forget();
    else this.#kept.restore();
    this.#before?.open();
    await Promise.all(this.#nodes.writers.map((writer) => writer.open()));
    this.#keepAliveTimer = setInterval(() => this.#keepAlive(), KEEP_ALIVE_MS);
  }

  setKind(kind: BatchKind): void {
    this.#inSnapshot = kind === 'snapshot';
    this.#nodes.setKind(kind);
    if (kind !== 'stream') return;
    this.#stream.begin();
    this.#lookingForGone = this.#nameGone();
  }

  setManner(manner: WriteManner): void {
    this.#writer.manner = manner;
  }

  remove(database: number, bytes: Buffer, start: number, length: number): void {
    const to = this.#databases.of(database);
    if (to === 0 || !this.#nodes.cluster) this.#writer.remove(to, bytes, start, length);
  }

  flush(now: boolean): void {
    this.#nodes.flush(now);
    if (now && this.#inSnapshot && this.#nodes.idle && this.#lane.idle) this.conflicts.snapshotThrough();
  }

  /** Takes redferry's own keys off the target. A target that does not answer keeps them: the copy is done all the same. */
  async finish(): Promise<void> {
    if (this.#job.snapshotOnly) await this.#lookingForGone;
    if (!this.#stream.removeMarkers()) return;
    this.#nodes.flush(true);
    const answered = new Promise<void>((resolve) => {
      this.#settled = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, REMOVE_MS);
    });
    if (!this.#nodes.idle) await Promise.race([answered, late]);
    clearTimeout(timer);
    const removed = this.#nodes.idle && (await this.#stream.removeMarkersInOpenSlots().catch(() => false));
    if (!removed) this.#host.once('warn', 'The target did not take the markers of this run away (redferry:*).');
  }

  destroy(): void {
    this.#destroyed = true;
    this.#stream.stop();
    this.#nodes.destroy();
    this.#lane.destroy();
    this.#places.destroy();
    if (this.#keepAliveTimer !== null) clearInterval(this.#keepAliveTimer);
    this.conflicts.destroy();
    this.#kept.close();
    this.#before?.close();
  }

  /** Behind a second full sync, beside the stream. */
  async #nameGone(): Promise<void> {
    const { origin, attempt, resume } = this.#job;
    const before = this.#before;
    if (before === null || attempt === 1 || resume !== null || origin.kind === 'file') return;
    try {
      // Brings the client library into this thread, which most runs never need.
      const { findGoneKeys, goneInWords, leftoversOf } = await import('./gone-keys.ts');
      const gone = await findGoneKeys({
        origin,
        destination: this.#destination,
        databases: this.#databases,
        slots: () => this.#slots?.ranges ?? (origin.slots.length === 0 ? null : origin.slots),
        missed: (database, key) => before.isMissed(database, key) && !this.#kept.has(database, key, 0, key.length),
        stopped: () => this.#destroyed,
      });
      if (this.#destroyed) return;
      this.#host.leftOver(leftoversOf(gone, this.#databases));
      const sentence = goneInWords(gone);
      if (sentence !== null) this.#host.notice('warn', sentence);
    } catch (error) {
      if (this.#destroyed) return;
      const why = `could not be looked for: ${messageOf(error)} Compare with redferry validate.`;
      this.#host.notice('warn', `Keys that the source has deleted since the last full sync ${why}`);
    }
  }

  /** A shard that has halted at a key, or is paused in its snapshot, may write nothing for hours. */
  #keepAlive(): void {
    if (!this.#inSnapshot) return;
    for (const writer of this.#nodes.writers) writer.keepAlive();
    this.#places.keepAlive();
    this.conflicts.keepAlive();
  }

  #deskHost(): DeskHost {
    const host = this.#host;
    return {
      ...host.conflicts,
      settled: (conflict) => {
        if (conflict.outcome === 'ignored') this.#kept.add(conflict.database, conflict.key);
        else this.#before?.rewritten(conflict.database, conflict.key);
        host.conflicts.settled(conflict);
      },
      alreadyThere: (database, key, isOwn) => {
        this.#before?.foundEqual(database, key);
        if (!isOwn) host.conflicts.alreadyThere();
      },
      isOwn: (database, key) => this.#before?.isOwn(database, key) ?? false,
      ownReplaced: (database, key) => this.#before?.rewritten(database, key),
      asks: () => host.once('warn', HALTED),
      refused: (command) => this.#refused(command),
      relieved: () => host.answered(0, 0),
      failed: (error) => host.lost(asTargetLoss(error)),
    };
  }

  #makeOwner(): WriterOwner {
    const host = this.#host;
    return {
      get position() {
        return host.position;
      },
      answered: (keys, streamCommands) => {
        host.answered(keys, streamCommands);
        this.#stream.answered();
        if (this.#nodes.idle) this.#settled?.();
      },
      refused: (command) => this.#refused(command),
      diverged: ({ database, args }) => host.diverged(database, args),
      conflict: (database, args) => {
        this.conflicts.add(database, args, this.#nodes.settledPosition);
        return null;
      },
      troubled: () => this.#stream.troubled(),
      lost: (error) => this.#stream.lost(error),
    };
  }

  #makeLane(version: ServerVersion): NativeLane {
    const host = this.#host;
    return new NativeLane(nativeAbilities(version), {
      link: (key) => this.#places.link(key.key),
      keyThere: (key, link) => (key.isOwn ? Promise.resolve('rewrite') : this.conflicts.keyThere(key, link)),
      replaces: false,
      relieved: () => host.answered(0, 0),
      written: (keys) => host.answered(keys, 0),
      refused: ({ database, key }, reason) => host.refused(database, [Buffer.from('RESTORE'), key], reason),
      loss: (loss) => host.once('warn', lossSentence(loss, version.text)),
      lost: ({ database, key }, what) => host.refused(database, [Buffer.from('XCLAIM'), key], what),
      failed: (error) => host.lost(asTargetLoss(error)),
    });
  }

  /** A RESTORE that the target does not take may still go by commands; everything else is recorded. */
  #refused({ database, args, reason }: RefusedCommand): void {
    const lesson = this.#inSnapshot ? lessonOf(args, reason) : null;
    const restore = lesson === null ? null : readRestore(args);
    if (lesson === null || restore === null || !this.#lane.takes(restore.type)) {
      this.#host.refused(database, args, reason);
      return;
    }
    this.#writer.goNative(lesson.kind === 'all' ? null : lesson.type);
    this.#host.once(
      'info',
      `The target refuses ${lesson.kind === 'all' ? 'RESTORE' : `RESTORE of values of type ${lesson.type}`} (${reason}): they are written by the commands of their types, without idle times and frequencies.`,
    );
    // Its expiries are held already.
    const place = this.#places.place(
      database,
      restore.key,
      restore.expiresAtMs,
      (expiresAtMs) => expiresAtMs,
      replacesOwn(args),
    );
    this.#lane.add(place, restore, true);
  }
}

/** Whether this RESTORE may write over what is there. */
function replacesOwn(args: readonly Buffer[]): boolean {
  return args.slice(4).some((arg) => arg.toString('latin1') === 'REPLACE');
}
