// What happens when the stream can not simply go on: something of it is missing on the target (out of memory, a slot that
// moved, a block without the command that was refused), slots are between two nodes, or the link is gone. The way is always the
// same: let what is under way come to its end, find out what has taken effect, and read the stream again from the first
// write that has not, passing over the others.
//
//   flowing --troubled--> gathering --all replied--> (wait) --> flowing again, from further back
//   flowing, gathering --lost--> reconnecting --plan--> flowing again, from further back

import type { NodeWriter } from '../../writers/node-writer.ts';
import { type MissingWrite, ReplayFilter } from '../../writers/replay-filter.ts';
import type { StreamRouter } from '../../writers/stream-router.ts';
import type { TargetNodes } from '../../writers/target-nodes.ts';
import type { SlotMove } from '../../writers/target-replies.ts';
import type { FerryError } from '../errors.ts';
import { nextAttempt } from '../shard/next-attempt.ts';
import { restartDelayMs } from '../shard/shard-restart.ts';
import type { TargetPlaces } from '../shard/shard-target.ts';

/** How often the nodes are asked whether an open slot has been closed. */
const OPEN_SLOT_POLL_MS = 250;

/** From where the stream goes on after a link was lost. */
export interface ReplayPlan {
  readonly offset: number;
  /** The source's database in force behind it. */
  readonly db: number;
  readonly skipUntil: Float64Array;
  /** Of a standalone: those that hold keys. */
  readonly databases: readonly number[];
  /** What is out of the ordinary, a sentence each. */
  readonly reasons: readonly string[];
}

export interface RecoveryHost {
  readonly nodes: TargetNodes;
  readonly router: StreamRouter;
  readonly places: TargetPlaces;
  /** Other nodes own these slots now. @throws FerryError when the way back leads over their markers. */
  follow(moves: readonly SlotMove[]): Promise<void>;
  /** Which of these slots are still between two nodes; brings those that are not to their owner. @throws FerryError */
  stillOpen(slots: readonly number[]): Promise<readonly number[]>;
  /**
   * Connects to the nodes that are there now, behind a fence, and reads what they have.
   * @param settled everything up to this offset was answered for.
   * @param unanswered for each slot the ends of what was sent and not answered when the link broke, ascending.
   * @returns a sentence when the stream can not go on from there. @throws FerryError when it is to be tried again.
   */
  reconnect(settled: number, unanswered: ReadonlyMap<number, readonly number[]>): Promise<ReplayPlan | string>;
  /** It began; a process that goes on after a kill has to know. */
  outOfOrder(): void;
  notice(level: 'info' | 'warn', message: string): void;
  /** Only a new beginning helps. */
  giveUp(reason: string): void;
}

export class StreamRecovery {
  #state: 'flowing' | 'gathering' | 'busy' | 'ended' = 'flowing';
  /** Why nothing is taken, as part of a sentence; null while the stream flows. */
  reason: string | null = null;
  readonly #host: RecoveryHost;
  /** Everything before it has taken effect, whatever the writers say. */
  #floor = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #poll: NodeJS.Timeout | null = null;
  /** Parked slots are closed: they are played again with the rest. */
  #unpark = false;
  #reconnecting = false;
  /** Missing for certain, and not yet in a filter: a link may be lost before it is. */
  #pending: readonly MissingWrite[] = [];
  /** Of the last replay, where writes went again behind later ones of their slots. */
  #filter: ReplayFilter | null = null;
  #attempt = 1;

  constructor(host: RecoveryHost) {
    this.#host = host;
  }

  /** The stream is not taken now. */
  get busy(): boolean {
    return this.#state !== 'flowing';
  }

  /** Later writes may have taken effect before earlier ones of their slots, and those are not there for certain yet. */
  get outOfOrder(): boolean {
    const { router, nodes } = this.#host;
    if (router.parked.size > 0 || this.#pending.length > 0) return true;
    if (nodes.writers.some(({ replies }) => replies.troubled)) return true;
    const filter = this.#filter;
    if (filter === null) return false;
    if (router.filter !== null || nodes.writers.some((writer) => hasLate(writer, filter))) return true;
    this.#filter = null;
    return false;
  }

  get floor(): number {
    return Math.min(this.#floor, this.#host.router.parked.position);
  }

  /** A writer has met something that has to go again. */
  troubled(): void {
    if (this.#state !== 'flowing') return;
    this.#state = 'gathering';
    this.#host.outOfOrder();
    this.#host.nodes.flush(true);
  }

  /** Replies came in. */
  replied(): void {
    if (this.#state === 'gathering' && this.#host.nodes.idle) void this.#goBack();
  }

  /** A link is gone: the connections are all made anew. */
  lost(error: FerryError): void {
    if (this.#state === 'ended' || (this.#state === 'busy' && this.#reconnecting)) return;
    const { places, nodes, router } = this.#host;
    this.#floor = Math.min(this.floor, places.settledPosition);
    const missing = [
      ...this.#pending,
      // The marker of a slot may be ahead of them: of what was passed over once, a part has been sent again.
      ...(router.filter?.missingBehind(places.offsetAt(places.position)) ?? []),
      ...nodes.writers.flatMap((writer) => writer.replies.take()?.missing ?? []),
      ...router.parked.release(),
    ];
    const filter = this.#filter;
    const late = filter !== null && nodes.writers.some((writer) => hasLate(writer, filter));
    const unanswered = unansweredOf(nodes.writers);
    this.#pending = missing;
    nodes.destroy();
    if (late) {
      this.stop();
      this.#host.giveUp(`${error.message} It broke while writes were sent again that later ones had overtaken`);
      return;
    }
    this.#reconnecting = true;
    this.#attempt = 1;
    this.#host.notice('warn', `${error.message} The stream goes on from what the target has when it is back.`);
    void this.#reconnect(error.message, missing, unanswered);
  }

  stop(): void {
    this.#state = 'ended';
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#poll !== null) clearTimeout(this.#poll);
  }

  /** Everything is answered: what is missing goes again, on the way that it has now. */
  async #goBack(): Promise<void> {
    const { nodes, router } = this.#host;
    this.#state = 'busy';
    const troubles = nodes.writers.flatMap((writer) => writer.replies.take() ?? []);
    const missing = troubles.flatMap((trouble) => trouble.missing);
    this.#pending = missing;
    this.#floor = Math.min(this.floor, ...troubles.map(({ position }) => position));
    this.reason = troubles.find(({ delayMs }) => delayMs > 0)?.reason ?? troubles[0]?.reason ?? null;
    const position = this.#floor;
    if (this.#unpark) missing.push(...router.parked.release());
    this.#unpark = false;
    for (const slot of troubles.flatMap(({ openSlots }) => openSlots)) router.parked.park(slot);
    try {
      const moves = troubles.flatMap((trouble) => trouble.moves);
      if (moves.length > 0) await this.#host.follow(moves);
    } catch (error) {
      this.lost(error as FerryError);
      return;
    }
    const delayMs = Math.max(0, ...troubles.map((trouble) => trouble.delayMs));
    await this.#wait(delayMs);
    if (this.#state !== 'busy' || this.#reconnecting) return;
    const reached = this.#host.places.offsetAt(this.#host.places.position);
    this.#play(position, ReplayFilter.after(reached, missing, router.filter));
  }

  /** Reads the stream again from `position`; what the filter has is passed over. */
  #play(position: number, filter: ReplayFilter): void {
    const { places, router } = this.#host;
    if (!places.rewind(position)) {
      this.stop();
      this.#host.giveUp('what has to be sent again is no longer kept (limits.history)');
      return;
    }
    this.#pending = [];
    this.#filter = filter.missingBehind(Number.NEGATIVE_INFINITY).length > 0 ? filter : null;
    router.filter = filter;
    router.restart(router.databases.at(places.offsetAt(position)));
    this.#floor = Number.POSITIVE_INFINITY;
    this.reason = null;
    this.#state = 'flowing';
    if (router.parked.size > 0) this.#pollOpenSlots();
    // What was sent meanwhile, a marker, may have met trouble of its own.
    if (this.#host.nodes.writers.some(({ replies }) => replies.troubled)) this.troubled();
    places.resumed();
  }

  #pollOpenSlots(): void {
    this.#poll ??= setTimeout(() => {
      this.#poll = null;
      void this.#lookAtOpenSlots();
    }, OPEN_SLOT_POLL_MS);
  }

  async #lookAtOpenSlots(): Promise<void> {
    const { parked } = this.#host.router;
    if (this.#ended || parked.size === 0) return;
    const open = await this.#host.stillOpen(parked.slots).catch(() => parked.slots);
    if (open.length === 0 && this.#state === 'flowing') {
      this.#unpark = true;
      this.#state = 'gathering';
      this.#host.nodes.flush(true);
      this.replied();
      return;
    }
    if (!this.#ended) this.#pollOpenSlots();
  }

  async #reconnect(
    message: string,
    missing: readonly MissingWrite[],
    unanswered: ReadonlyMap<number, readonly number[]>,
  ): Promise<void> {
    this.#state = 'busy';
    const { places } = this.#host;
    for (let reason = message; ; ) {
      const delayMs = this.#attempt === 1 ? 0 : restartDelayMs(this.#attempt);
      this.reason = delayMs === 0 ? reason : nextAttempt(delayMs, reason);
      await this.#wait(delayMs);
      if (this.#ended) return;
      this.#attempt++;
      try {
        const plan = await this.#host.reconnect(places.offsetAt(this.#floor), unanswered);
        if (this.#ended) return;
        this.#reconnecting = false;
        this.#goOn(plan, missing);
        return;
      } catch (error) {
        reason = (error as FerryError).message;
      }
    }
  }

  #goOn(plan: ReplayPlan | string, missing: readonly MissingWrite[]): void {
    if (typeof plan === 'string') {
      this.stop();
      this.#host.giveUp(plan);
      return;
    }
    for (const reason of plan.reasons) this.#host.notice('warn', `The target: ${reason}.`);
    this.#host.notice('info', 'The link to the target is back; the stream goes on from what it has.');
    this.#play(this.#host.places.positionAt(plan.offset), new ReplayFilter(plan.skipUntil, missing));
  }

  get #ended(): boolean {
    return this.#state === 'ended';
  }

  #wait(delayMs: number): Promise<void> {
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#timer = setTimeout(resolve, delayMs);
    });
  }
}

/** For each slot the ends of what was sent and not answered, ascending. */
function unansweredOf(writers: readonly NodeWriter[]): ReadonlyMap<number, readonly number[]> {
  const found = new Map<number, number[]>();
  for (const writer of writers) {
    writer.hasUnanswered((slot, offset) => {
      const offsets = found.get(slot);
      if (offsets === undefined) found.set(slot, [offset]);
      else if (offsets[offsets.length - 1] !== offset) offsets.push(offset);
      return false;
    });
  }
  for (const offsets of found.values()) offsets.sort((a, b) => a - b);
  return found;
}

/** Writes of a replay are on their way that later ones of their slots have overtaken. */
function hasLate(writer: NodeWriter, filter: ReplayFilter): boolean {
  return writer.hasUnanswered((slot, offset) => filter.isLate(slot, offset));
}
