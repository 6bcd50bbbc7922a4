// A server or cluster as the target of one shard: writers to every node, the snapshot's keys and the stream's commands on
// their way to them, and the lane of values that need commands.
import { CommandTable } from '../protocol/command-table.ts';
import { ExpiryHold } from '../protocol/held-expiry.ts';
import { encodeCommand } from '../protocol/resp-encode.ts';
import { acceptedVersions } from '../rdb/payload-version.ts';
import { ByteWindow } from '../readers/byte-window.ts';
import { StreamParser } from '../readers/stream-parser.ts';
import { mapAddress } from '../topology/address-map.ts';
import { formatAddress } from '../topology/endpoint.ts';
import type { ServerVersion } from '../topology/topology.ts';
import { type BatchKind, BufferPool } from '../writers/batch.ts';
import { NativeLane } from '../writers/native-lane.ts';
import type { RefusedCommand, WriterOwner } from '../writers/node-writer.ts';
import { lessonOf, readRestore } from '../writers/refused-restores.ts';
import type { SentUnit } from '../writers/retry-plan.ts';
import { overwriting, SnapshotWriter } from '../writers/snapshot-writer.ts';
import { StreamRouter } from '../writers/stream-router.ts';
import { broadcast } from '../writers/target-broadcast.ts';
import type { TargetNodes } from '../writers/target-nodes.ts';
import type { SlotMove } from '../writers/target-replies.ts';
import type { Barrier } from './barrier.ts';
import { FerryError, messageOf } from './errors.ts';
import { HeldCommands } from './held-commands.ts';
import { lossSentence } from './loss-sentences.ts';
import { NativePlaces } from './native-places.ts';
import type { ServerDestination, ShardJob } from './shard-job.ts';
import type { CommandTaker, ShardTarget, TargetHost } from './shard-target.ts';
import { SnapshotIntake } from './snapshot-intake.ts';
import { makeTargetNodes, makeWriter } from './target-writers.ts';

export class ServerTarget implements ShardTarget {
  readonly sink: SnapshotIntake;
  readonly commands: CommandTaker;
  readonly setTakesExpiry: boolean;
  readonly #job: ShardJob;
  readonly #destination: ServerDestination;
  readonly #host: TargetHost;
  readonly #barrier: Barrier;
  readonly #pool: BufferPool;
  readonly #owner: WriterOwner;
  readonly #nodes: TargetNodes;
  /** Position of the commands that are being sent again, while they are. */
  #floor: number | null = null;
  readonly #writer: SnapshotWriter;
  readonly #places: NativePlaces;
  readonly #lane: NativeLane;
  #inSnapshot = true;
  readonly #hold: ExpiryHold;

  constructor(job: ShardJob, destination: ServerDestination, window: ByteWindow, barrier: Barrier, host: TargetHost) {
    this.#job = job;
    this.#destination = destination;
    this.#host = host;
    this.#barrier = barrier;
    this.#pool = new BufferPool(job.limits.batch);
    this.#owner = this.#makeOwner();
    this.#nodes = makeTargetNodes(job, destination, this.#owner, this.#pool);
    const { version } = destination.topology;
    this.setTakesExpiry = takesExpiryInSet(version);
    this.#hold = new ExpiryHold({ keys: !destination.importMode, fields: nativeAbilities(version).fieldExpiry });
    this.#writer = new SnapshotWriter(this.#nodes, window, {
      accepted: acceptedVersions(version),
      setTakesExpiry: this.setTakesExpiry,
      hold: this.#hold,
      lost: (loss) => host.once('warn', lossSentence(loss, version.text)),
    });
    this.#places = new NativePlaces(job, destination, this.#nodes);
    this.#lane = this.#makeLane(version);
    this.sink = new SnapshotIntake(this.#nodes, this.#writer, this.#lane, this.#places, {
      hold: this.#hold,
      takesFunctions: job.keyless.function === 'forward' && hasFunctions(version),
      blocked: () => this.#barrier.closed,
      refused: (database, args, reason) => host.refused(database, args, reason),
      once: (level, message) => host.once(level, message),
      broadcast: (args) => this.#broadcast(args),
      library: (code) => this.#library(code),
      taken: () => host.taken(),
    });
    this.commands = new HeldCommands(this.#makeRouter(), this.#hold);
  }

  get announcedKeys(): number | null {
    return this.sink.announced;
  }

  get saturated(): boolean {
    return this.#nodes.saturated || !this.#lane.idle;
  }

  get idle(): boolean {
    return this.#nodes.idle && this.#lane.idle;
  }

  get settledPosition(): number {
    return this.#nodes.settledPosition;
  }

  get held(): number {
    return this.#hold.count;
  }

  get inFlightBytes(): number {
    return this.#nodes.inFlightBytes;
  }

  get waiting(): string | null {
    return this.#nodes.waiting ?? this.#lane.waiting;
  }

  async open(): Promise<void> {
    await Promise.all(this.#nodes.writers.map((writer) => writer.open()));
  }

  setKind(kind: BatchKind): void {
    this.#inSnapshot = kind === 'snapshot';
    this.#nodes.setKind(kind);
  }

  flush(now: boolean): void {
    this.#nodes.flush(now);
  }

  async finish(): Promise<void> {}

  destroy(): void {
    this.#nodes.destroy();
    this.#lane.destroy();
    this.#places.destroy();
  }

  #makeOwner(): WriterOwner {
    const host = this.#host;
    const floor = (): number | null => this.#floor;
    return {
      get position() {
        return floor() ?? host.position;
      },
      answered: (keys, streamCommands) => host.answered(keys, streamCommands),
      refused: (command) => this.#refused(command),
      conflict: (database, args) => {
        const key = args[1] ?? Buffer.alloc(0);
        return host.conflict(database, key) === 'rewrite' ? overwriting(args) : null;
      },
      moved: (moves, units, position) => this.#follow(moves, units, position),
      lost: (error) => host.lost(error),
    };
  }

  /** Sends commands to the new owners of their slots. Nothing is taken from the source meanwhile: their old node waits. */
  async #follow(moves: readonly SlotMove[], units: readonly SentUnit[], position: number): Promise<void> {
    const { endpoint } = this.#destination;
    for (const { slot, address } of moves) {
      const reachable = mapAddress(endpoint.addressMap, address);
      let writer = this.#nodes.at(formatAddress(reachable));
      if (writer === null) {
        writer = makeWriter(this.#job, this.#destination, reachable, this.#owner, this.#pool);
        await writer.open();
        writer.setKind('stream');
      }
      this.#nodes.assign(slot, writer);
    }
    this.#host.once('info', 'Slots move between the nodes of the target: their commands follow them; said once.');
    // A router of its own: the source's may be in the middle of a transaction.
    const router = this.#makeRouter();
    this.#floor = position;
    for (const args of units.flat()) {
      const bytes = encodeCommand(args);
      const parser = new StreamParser(new ByteWindow(bytes), { commandBytes: bytes.length });
      parser.next();
      router.handle(parser);
    }
    this.#nodes.flush(true);
    this.#floor = null;
  }

  #makeLane(version: ServerVersion): NativeLane {
    const host = this.#host;
    return new NativeLane(nativeAbilities(version), {
      link: (key) => this.#places.link(key.key),
      keyThere: ({ database, key }) => host.conflict(database, key),
      replaces: false,
      relieved: () => host.answered(0, 0),
      written: (keys) => host.answered(keys, 0),
      refused: ({ database, key }, reason) => host.refused(database, [Buffer.from('RESTORE'), key], reason),
      loss: (loss) => host.once('warn', lossSentence(loss, version.text)),
      lost: ({ database, key }, what) => host.refused(database, [Buffer.from('XCLAIM'), key], what),
      failed: (error) =>
        host.lost(
          error instanceof FerryError ? error : new FerryError(messageOf(error), { code: 'internal', cause: error }),
        ),
    });
  }

  #makeRouter(): StreamRouter {
    const { keyless, limits, origin } = this.#job;
    const table = new CommandTable();
    if (this.#destination.commands !== null) table.addFromServer(this.#destination.commands);
    return new StreamRouter(
      this.#nodes,
      table,
      {
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
    const place = this.#places.place(database, restore.key, restore.expiresAtMs, (expiresAtMs) => expiresAtMs);
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
