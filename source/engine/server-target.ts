// A server or cluster as the target of one shard: writers to every node, the snapshot's keys and the stream's commands on
// their way to them, and the lane of values that need commands.
import { CommandTable } from '../protocol/command-table.ts';
import { ExpiryHold } from '../protocol/held-expiry.ts';
import { acceptedVersions } from '../rdb/payload-version.ts';
import type { ByteWindow } from '../readers/byte-window.ts';
import type { SnapshotSink, WriteManner } from '../readers/snapshot-sink.ts';
import { mapAddress } from '../topology/address-map.ts';
import { formatAddress } from '../topology/endpoint.ts';
import type { ServerVersion, SlotRange } from '../topology/topology.ts';
import { DatabaseMap } from '../transforms/database-map.ts';
import { MappedCommands } from '../transforms/mapped-commands.ts';
import { MappedSink } from '../transforms/mapped-sink.ts';
import { type BatchKind, BufferPool } from '../writers/batch.ts';
import { KeptKeys } from '../writers/kept-keys.ts';
import { NativeLane } from '../writers/native-lane.ts';
import type { RefusedCommand, WriterOwner } from '../writers/node-writer.ts';
import { lessonOf, readRestore } from '../writers/refused-restores.ts';
import { ReplayFilter } from '../writers/replay-filter.ts';
import { SnapshotWriter } from '../writers/snapshot-writer.ts';
import { StreamRouter } from '../writers/stream-router.ts';
import { broadcast } from '../writers/target-broadcast.ts';
import type { TargetNodes } from '../writers/target-nodes.ts';
import type { SlotMove } from '../writers/target-replies.ts';
import type { Barrier } from './barrier.ts';
import type { ConflictDesk, DeskHost } from './conflict-desk.ts';
import { FerryError, messageOf } from './errors.ts';
import { ExactStream } from './exact-stream.ts';
import { HeldCommands } from './held-commands.ts';
import { HeldPayloads } from './held-payloads.ts';
import { KeptCommands } from './kept-commands.ts';
import { KeysBefore } from './keys-before.ts';
import { lossSentence } from './loss-sentences.ts';
import { NativePlaces } from './native-places.ts';
import { NotedCommands } from './noted-commands.ts';
import type { OwnedSlots } from './owned-slots.ts';
import type { ServerDestination, ShardCheckpoint, ShardJob, ShardResume } from './shard-job.ts';
import type { CommandTaker, ShardTarget, TargetHost } from './shard-target.ts';
import { SnapshotIntake } from './snapshot-intake.ts';
import { type ReplayPlan, StreamRecovery } from './stream-recovery.ts';
import { makeConflictDesk } from './target-conflicts.ts';
import { askNodeId, discoverTarget, openSlotsOf } from './target-questions.ts';
import { planReplay } from './target-reconnect.ts';
import { makeTargetNodes, makeWriter } from './target-writers.ts';

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
  readonly #barrier: Barrier;
  readonly #pool: BufferPool;
  readonly #owner: WriterOwner;
  readonly #nodes: TargetNodes;
  readonly #recovery: StreamRecovery;
  readonly #router: StreamRouter;
  /** Of a stream that takes effect exactly once. */
  #exact: ExactStream | null = null;
  /** The markers with which the stream begins are on the target. */
  #marked = false;
  /** The position at which they were sent. */
  #beganAt = 0;
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
    this.#barrier = barrier;
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
    this.#intake = new SnapshotIntake(this.#nodes, this.#writer, this.#lane, this.#places, {
      hold: this.#hold,
      takesFunctions: job.keyless.function === 'forward' && hasFunctions(version),
      blocked: () => this.#barrier.closed,
      refused: (database, args, reason) => host.refused(database, args, reason),
      once: (level, message) => host.once(level, message),
      broadcast: (args) => this.#broadcast(args),
      library: (code) => this.#library(code),
      taken: () => host.taken(),
    });
    this.#router = this.#makeRouter();
    const commands = this.#keptCommands(this.#notedCommands(new HeldCommands(this.#router, this.#hold)));
    this.sink = this.#databases.isIdentity ? this.#intake : new MappedSink(this.#intake, this.#databases);
    this.commands = this.#databases.isIdentity
      ? commands
      : new MappedCommands(commands, this.#databases, (args, reason) => host.refused(0, args, reason));
    this.#recovery = this.#makeRecovery();
  }

  get announcedKeys(): number | null {
    return this.#intake.announced;
  }

  get saturated(): boolean {
    if (this.#inSnapshot && this.conflicts.saturated) return true;
    return this.#recovery.busy || this.#nodes.saturated || !this.#lane.idle || this.#parkedTooMuch;
  }

  get outOfOrder(): boolean {
    return this.#recovery.outOfOrder;
  }

  get replaying(): boolean {
    return this.#recovery.busy || this.#router.replaying;
  }

  get idle(): boolean {
    if (!this.conflicts.idle) return false;
    return !this.#recovery.busy && this.#router.parked.size === 0 && this.#nodes.idle && this.#lane.idle;
  }

  get settledPosition(): number {
    return Math.min(this.#nodes.settledPosition, this.#recovery.floor, this.conflicts.position);
  }

  get held(): number {
    return this.#hold.count;
  }

  get kept(): number {
    return this.#kept.size;
  }

  get checkpoint(): ShardCheckpoint | null {
    const { history } = this.#host;
    if (this.#exact === null || history === null || !this.#marked) return null;
    const offset = this.#host.offsetAt(this.#host.settledPosition);
    return {
      history,
      offset,
      db: this.#router.databases.at(offset),
      nodes: this.#exact.knownNodes(),
      slots: this.#slots?.rangesAt(offset) ?? null,
      kept: this.kept,
    };
  }

  get inFlightBytes(): number {
    return this.#nodes.inFlightBytes;
  }

  get waiting(): string | null {
    const writers = this.#recovery.reason ?? this.#nodes.waiting ?? this.#lane.waiting;
    return writers ?? this.conflicts.waiting ?? this.#parkedSentence;
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
    this.#beginStream();
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
    if (this.#exact === null) return;
    this.#exact.remove();
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
    if (!this.#nodes.idle)
      this.#host.once('warn', 'The target did not take the markers of this run away (redferry:*).');
  }

  destroy(): void {
    this.#destroyed = true;
    this.#recovery.stop();
    this.#exact?.stop();
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
      const { findGoneKeys, goneInWords } = await import('./gone-keys.ts');
      const gone = await findGoneKeys({
        origin,
        destination: this.#destination,
        databases: this.#databases,
        slots: () => this.#slots?.ranges ?? (origin.slots.length === 0 ? null : origin.slots),
        missed: (database, key) => before.isMissed(database, key) && !this.#kept.has(database, key, 0, key.length),
        stopped: () => this.#destroyed,
      });
      const sentence = goneInWords(gone);
      if (sentence !== null && !this.#destroyed) this.#host.notice('warn', sentence);
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
      failed: (error) => host.lost(toFerryError(error)),
    };
  }

  /** A slot that stays open must not make the history grow without end. */
  get #parkedTooMuch(): boolean {
    const { parked } = this.#router;
    return parked.size > 0 && this.#host.position - parked.position > this.#job.limits.history;
  }

  get #parkedSentence(): string | null {
    const { size } = this.#router.parked;
    if (size === 0) return null;
    return `${size === 1 ? 'a slot' : `${size} slots`} of the target ${size === 1 ? 'is' : 'are'} between two nodes: their commands wait, others go on`;
  }

  /** In front of all: what goes to a key that was kept is not for this target. */
  #keptCommands(inner: CommandTaker): CommandTaker {
    const host = this.#host;
    const { flush, swapdb } = this.#job.keyless;
    const rules = {
      flush: flush === 'forward',
      swapdb: swapdb === 'forward',
      makeTable: () => this.#makeTable(),
    };
    return new KeptCommands(inner, this.#kept, rules, {
      get offset() {
        return host.offset;
      },
      dropped: () => host.conflicts.dropped(),
      refused: (database, args, reason) => host.refused(database, args, reason),
    });
  }

  #notedCommands(inner: CommandTaker): CommandTaker {
    if (this.#before === null) return inner;
    return new NotedCommands(inner, this.#before, this.#makeTable(), this.#job.keyless.swapdb === 'forward');
  }

  #makeOwner(): WriterOwner {
    const host = this.#host;
    return {
      get position() {
        return host.position;
      },
      answered: (keys, streamCommands) => {
        host.answered(keys, streamCommands);
        this.#recovery.replied();
        // Under a load that never ends there is always something outstanding.
        if (!this.#marked && this.#exact !== null) this.#marked = this.#nodes.settledPosition > this.#beganAt;
        if (!this.#nodes.idle) return;
        this.#settled?.();
      },
      refused: (command) => this.#refused(command),
      diverged: ({ database, args }) => host.diverged(database, args),
      conflict: (database, args) => {
        this.conflicts.add(database, args, this.#nodes.settledPosition);
        return null;
      },
      troubled: () => this.#recovery.troubled(),
      lost: (error) => {
        if (this.#exact === null) host.lost(error);
        else this.#recovery.lost(error);
      },
    };
  }

  /** The stream's commands come now. What is exact begins when the source has named its history. */
  #beginStream(): void {
    const { history } = this.#host;
    if (history === null || this.#job.snapshotOnly || !this.#destination.exactlyOnce || this.#exact !== null) return;
    const { origin } = this.#job;
    this.#exact = new ExactStream(
      {
        run: this.#job.run,
        shard: this.#job.name,
        nodes: this.#nodes,
        router: this.#router,
        places: this.#host,
        flowing: () => !this.#recovery.busy,
        slots: origin.kind === 'server' && origin.slots.length > 0 ? slotsOf(origin.slots) : null,
      },
      history.replid,
    );
    this.#exact.wrap();
    const { resume } = this.#job;
    this.#beganAt = this.#host.position;
    if (resume !== null) this.#resume(this.#exact, resume);
    if (resume === null || resume.unmarked) this.#exact.begin(this.#host.offset);
  }

  /** An earlier process has written a part of what comes now: its markers say which. */
  #resume(exact: ExactStream, { offset, skipUntil, db, nodeMarkers, databases, unmarked }: ShardResume): void {
    exact.know(nodeMarkers, offset, skipUntil);
    this.#router.database = db;
    for (const database of databases) this.#router.databases.seen.add(database);
    if (skipUntil !== null) this.#router.filter = new ReplayFilter(skipUntil, []);
    this.#marked = !unmarked;
  }

  #makeRecovery(): StreamRecovery {
    return new StreamRecovery({
      nodes: this.#nodes,
      router: this.#router,
      places: this.#host,
      follow: (moves) => this.#follow(moves),
      stillOpen: (slots) => this.#stillOpen(slots),
      reconnect: (settled, unanswered) => this.#reconnect(settled, unanswered),
      notice: (level, message) => this.#host.notice(level, message),
      giveUp: (reason) =>
        this.#host.lost(
          new FerryError(`The stream can not go on where the target stands: ${reason}.`, { code: 'target-lost' }),
        ),
    });
  }

  /**
   * Other nodes own these slots now. To a master that is known a slot brings all that it had. Any other one may have been a
   * replica just now, and lack what its master had answered for: its markers have to be read.
   * @throws FerryError for such a node, and when one can not be reached.
   */
  async #follow(moves: readonly SlotMove[]): Promise<void> {
    const { endpoint } = this.#destination;
    for (const { slot, address } of moves) {
      const reachable = mapAddress(endpoint.addressMap, address);
      let writer = this.#nodes.at(formatAddress(reachable));
      if (this.#exact !== null && (writer === null || this.#nodes.slotsOf(writer).length === 0)) {
        throw new FerryError(`Slots of the target have gone to ${formatAddress(reachable)}, which had none before.`, {
          code: 'target-replaced',
          retriable: true,
        });
      }
      if (writer === null) {
        const nodeId = await askNodeId(endpoint, reachable);
        writer = makeWriter(
          this.#job,
          this.#destination,
          { address: reachable, nodeId, fence: false },
          this.#owner,
          this.#pool,
        );
        await writer.open();
        writer.setKind('stream');
      }
      this.#nodes.assign(slot, writer);
    }
    this.#exact?.wrap();
    this.#host.once('info', 'Slots move between the nodes of the target: their commands follow them; said once.');
  }

  async #stillOpen(slots: readonly number[]): Promise<readonly number[]> {
    const open = await openSlotsOf(
      this.#destination.endpoint,
      this.#nodes.writers.map((writer) => writer.address),
    );
    return slots.filter((slot) => open.has(slot));
  }

  async #reconnect(settled: number, unanswered: ReadonlyMap<number, readonly number[]>): Promise<ReplayPlan | string> {
    const { endpoint } = this.#destination;
    const { history } = this.#host;
    const exact = this.#exact;
    if (exact === null || history === null) return 'nothing tells what the target has';
    if (!(await this.#host.mayWrite())) {
      throw new FerryError('Whether another process has taken this shard over is not known yet.', { code: 'lease' });
    }
    const known = exact.knownNodes();
    const topology = await discoverTarget(this.#destination);
    const nodes = topology.shards.map(({ address, nodeId, slots }) => ({
      address,
      slots,
      writer: makeWriter(this.#job, this.#destination, { address, nodeId, fence: true }, this.#owner, this.#pool),
    }));
    const writers = nodes.map(({ writer }) => writer);
    try {
      await Promise.all(writers.map((writer) => writer.open()));
      const plan = await planReplay(
        endpoint,
        {
          run: this.#job.run,
          shard: this.#job.name,
          history,
          settled,
          db: this.#router.databases.at(settled),
          replid: history.replid,
          earliest: this.#host.offsetAt(this.#host.historyStart),
          nodes: known,
          slots: exact.slots,
          asked: null,
          unanswered,
        },
        nodes.map(({ address, slots, writer }) => ({ address, slots, nodeId: writer.nodeId, ...writer.identity })),
        this.#nodes.cluster,
      );
      for (const writer of writers) writer.setKind('stream');
      this.#nodes.replace(topology, writers);
      exact.follow(history.replid);
      exact.wrap();
      return plan;
    } catch (error) {
      for (const writer of writers) writer.destroy();
      throw error;
    }
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
      failed: (error) => host.lost(toFerryError(error)),
    });
  }

  #makeTable(): CommandTable {
    const table = new CommandTable();
    if (this.#destination.commands !== null) table.addFromServer(this.#destination.commands);
    return table;
  }

  #makeRouter(): StreamRouter {
    const { keyless, limits, origin } = this.#job;
    const host = this.#host;
    const table = this.#makeTable();
    return new StreamRouter(
      this.#nodes,
      table,
      {
        get offset() {
          return host.offset;
        },
        get earliestOffset() {
          return host.offsetAt(host.historyStart);
        },
        get position() {
          return host.position;
        },
        refused: (database, args, reason) => this.#host.refused(database, args, reason),
        ignored: (name) => this.#host.once('info', `${name} from the source is not applied, as the settings say.`),
        broadcast: (args) => this.#broadcast(args),
        notAtomic: (reason) =>
          this.#host.once(
            'warn',
            `A transaction of the source was applied command by command, since ${reason}; said once for this shard.`,
          ),
      },
      { keyless, sourceIsCluster: origin.kind === 'server' && origin.shards > 1, transactionBytes: limits.transaction },
    );
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

  #broadcast(args: readonly Buffer[]): void {
    this.#barrier.add(async () => {
      const { endpoint, topology } = this.#destination;
      const nodes = topology.shards.map((shard) => shard.address);
      for (const { address, reply } of await broadcast(endpoint, nodes, args)) {
        // Each source shard sends the same FUNCTION LOAD: that another was first is no refusal.
        if (!/already exists/.test(reply)) this.#host.refused(0, args, `${address}: ${reply}`);
      }
    });
  }

  #library(code: Buffer): void {
    this.#barrier.add(async () => {
      const { endpoint, topology } = this.#destination;
      const nodes = topology.shards.map((shard) => shard.address);
      // Few sources have libraries, and asking for them brings the client library into this thread.
      const { loadLibrary } = await import('../writers/function-libraries.ts');
      for (const { address, reply } of await loadLibrary(endpoint, nodes, code)) {
        this.#host.refused(0, [Buffer.from('FUNCTION LOAD')], `${address}: ${reply}`);
      }
    });
  }
}

/** Whether this RESTORE may write over what is there. */
function replacesOwn(args: readonly Buffer[]): boolean {
  return args.slice(4).some((arg) => arg.toString('latin1') === 'REPLACE');
}

function slotsOf(ranges: readonly SlotRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
}

function toFerryError(thrown: unknown): FerryError {
  return thrown instanceof FerryError ? thrown : new FerryError(messageOf(thrown), { code: 'internal', cause: thrown });
}

function isAtLeast(
  { product, major, minor }: ServerVersion,
  redis: readonly [number, number],
  valkey: number,
): boolean {
  if (product === 'Valkey') return major >= valkey;
  return major > redis[0] || (major === redis[0] && minor >= redis[1]);
}

/** SET ... PXAT is of 6.2. */
function takesExpiryInSet(version: ServerVersion): boolean {
  return isAtLeast(version, [6, 2], 7);
}

function hasFunctions(version: ServerVersion): boolean {
  return isAtLeast(version, [7, 0], 7);
}

function nativeAbilities(version: ServerVersion) {
  return {
    streamCounters: isAtLeast(version, [7, 0], 7),
    createConsumer: isAtLeast(version, [6, 2], 7),
    fieldExpiry: isAtLeast(version, [7, 4], 9),
  };
}
