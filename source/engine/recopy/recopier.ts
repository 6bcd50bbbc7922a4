// Copies keys of a shard again while its stream goes on: repairs, and keys whose target copy was seen to differ. In rounds:
// between two commands the stream stops, the source gives a batch of values and the offset O that they belong to; the
// stream goes on without those keys' commands, and at O the values are written, in the stream's own order and on its own
// connections. A command held back that touches other keys too makes them part of what is to be copied again.
import type { CommandTable } from '../../protocol/command-table.ts';
import type { Loss } from '../../rdb/encode-goal.ts';
import type { NodeAddress } from '../../topology/endpoint.ts';
import { formatSlots } from '../../topology/slots.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import type { RecopyCounts } from '../contract/command.ts';
import { messageOf } from '../errors.ts';
import type { Barrier } from '../shard/barrier.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { RecopyGate } from './recopy-gate.ts';
import { type RecopyKey, RecopyLedger, type RecopyRequest } from './recopy-ledger.ts';
import { type RecopyOrigin, RecopySource } from './recopy-source.ts';
import { RecopyValues } from './recopy-values.ts';
import { SlotTakes } from './slot-takes.ts';
import type { DatabaseKey } from './watched-keys.ts';

export interface RecopyHost {
  readonly barrier: Barrier;
  /** Replication offset of the last byte handed over. */
  readonly offset: number;
  /** As far back as the stream can be read again. */
  readonly historyOffset: number;
  /** The stream is played again up to where it was, or commands of it wait: nothing is written beside it. */
  readonly replaying: boolean;
  /** The node that the stream comes from, and its history. */
  readonly address: NodeAddress;
  readonly replid: string | null;
  /** What stands before the place that the stream has come to is with the target. */
  handedOver(): void;
  /** Lets the pump run when it stands. */
  run(): void;
  /** `busy` holds from now on: a process that goes on after a kill has to know, as no marker tells of it. */
  begun(): void;
  refused(database: number, args: readonly Buffer[], reason: string): void;
  /** Said once for a shard. */
  once(level: 'info' | 'warn', message: string): void;
  lost(loss: Loss): void;
}

export interface RecopySetup {
  /** Of a cluster's node: the slots that the pipeline carries. */
  readonly slots: OwnedSlots | null;
  /** All keys of these slots on the target that this run may remove. */
  readonly targetKeys: (slots: ReadonlySet<number>) => Promise<readonly DatabaseKey[]>;
  readonly origin: RecopyOrigin;
  readonly target: ServerVersion;
  readonly makeTable: () => CommandTable;
  /** Largest value that is fetched, bytes. */
  readonly valueBytes: number;
}

/**
 * idle: nothing is fetched; fetching: the stream stands and the source is asked, or is about to; fetched: values wait for
 * their offset; retrying: the source could not be asked.
 */
type Phase = 'idle' | 'fetching' | 'fetched' | 'retrying';

/** Keys of one round: what the stream stands still for. */
const BATCH_KEYS = 500;
const RETRY_MS = 1000;

export class Recopier {
  /** Keys that the target's replies have shown to differ, and that were copied again for that. */
  divergedKeys = 0;
  readonly #host: RecopyHost;
  readonly #setup: RecopySetup;
  readonly #source: RecopySource;
  readonly #values: RecopyValues;
  readonly #ledger = new RecopyLedger();
  readonly #takes = new SlotTakes<RecopyRequest>();
  #gate: RecopyGate | null = null;
  #commands: CommandTaker | null = null;
  #phase: Phase = 'idle';
  /** The stream comes to an end: values are written whatever their offset. */
  #finishing = false;
  #retryTimer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(setup: RecopySetup, host: RecopyHost) {
    this.#setup = setup;
    this.#host = host;
    this.#source = new RecopySource(setup.origin, setup.valueBytes);
    this.#values = new RecopyValues({
      slots: setup.slots,
      target: setup.target,
      wrote: (key, how) => this.#ledger.wrote(key, how),
      elsewhere: (key) => this.#ledger.failed(key),
      failed: (key, reason) => this.#fail(key, reason),
      lost: (loss) => host.lost(loss),
    });
  }

  /** Something is under way or asked for. */
  get busy(): boolean {
    return this.#ledger.busy || this.#takes.pending;
  }

  /** Who takes the stream's commands, in front of who takes them otherwise; the stream begins. */
  gate(commands: CommandTaker): CommandTaker {
    const busy = (): boolean => this.busy;
    const offset = (): number => this.#host.offset;
    this.#commands = commands;
    this.#gate = new RecopyGate(commands, this.#setup.makeTable, {
      slots: this.#setup.slots,
      get attentive() {
        return busy();
      },
      get offset() {
        return offset();
      },
      holds: (database, bytes, start, length) => this.#ledger.holds(database, bytes, start, length, this.#host.offset),
      touched: (keys) => this.#rousing(() => this.#ledger.watch(keys, null)),
      swapped: (one, other) => this.#rousing(() => this.#ledger.swapped(one, other)),
      boundary: () => {
        this.#host.handedOver();
        this.#boundary();
      },
    });
    // Asked for before the stream began.
    setImmediate(() => this.#goOn());
    return this.#gate;
  }

  /** Copies these keys again while the stream flows; resolves when the target has answered for all of them. */
  request(keys: readonly DatabaseKey[]): Promise<RecopyCounts> {
    return new Promise((done) => {
      this.#rousing(() => this.#ledger.watch(keys, this.#ledger.open(keys.length, done)));
      this.#goOn();
    });
  }

  /**
   * The target's answer to this command of the stream proves that its keys differ: they are copied again.
   * @returns false when its keys are not known.
   */
  diverged(database: number, args: readonly Buffer[]): boolean {
    const keys = this.#gate?.keysOf(args, database) ?? [];
    if (keys.length === 0) return false;
    this.divergedKeys += keys.filter((key) => !this.#ledger.isWatched(key)).length;
    this.#host.once(
      'warn',
      'The target answered a write in a way that shows that its key is not what the source has: such keys are counted and copied again; said once.',
    );
    this.#rousing(() => this.#ledger.watch(keys, null));
    this.#goOn();
    return true;
  }

  /** The stream is read again from an earlier place: what was written since then may be lost, and is copied once more. */
  rewound(): void {
    this.#rousing(() => this.#ledger.rewound(this.#host.offset));
  }

  /**
   * Carries these slots from now on: their keys are copied as they are on the source, and their commands pass behind that.
   * Until then the gate has held all of them back. Resolves when the target has answered; false when it did not come to it.
   */
  takeSlots(slots: readonly number[], sweep: boolean): Promise<boolean> {
    // Between two attempts of the shard there is only the closed one of the last: who asks is to ask again.
    if (this.#closed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#rousing(() => {
        const asker = this.#ledger.open(SlotTakes.parts(slots), () => resolve(!this.#closed));
        this.#takes.add({ slots, sweep, asker });
      });
      this.#goOn();
    });
  }

  /** No more of the stream comes: what is under way is written as it is. Called whenever everything else is applied. */
  finish(): void {
    this.#finishing = true;
    if (this.#gate?.insideBlock) this.#gate.discardBlock();
    if (this.#phase === 'retrying') this.#giveUp('the source could not be asked again before the shard ended');
    this.#goOn();
  }

  /** The target has refused a command for good. */
  refusedByTarget(args: readonly Buffer[]): void {
    if (args[0]?.toString('latin1') === 'RESTORE') this.#ledger.refused();
  }

  /** Nothing more is fetched or written: the keys under way count as failed. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#source.close();
    this.#ledger.abandon(this.#takes.askers);
  }

  /** From a place between two turns of the pump, which need not be one between two blocks. */
  #goOn(): void {
    if (this.#gate === null || this.#closed || this.#gate.insideBlock) return;
    this.#boundary();
    this.#host.run();
  }

  /** Between two commands and outside of a block: writes what has come of age, and begins what comes next. */
  #boundary(): void {
    if (this.#host.barrier.running || this.#host.replaying) return;
    // At the end all is written, whatever its offset: no more of the stream comes.
    const reached = this.#finishing ? Number.POSITIVE_INFINITY : this.#host.offset;
    this.#carryTaken(reached);
    if (this.#phase === 'fetched' && this.#values.write(reached, this.#commands as CommandTaker)) this.#phase = 'idle';
    const ledger = this.#ledger;
    const nothingToFetch = !ledger.waiting && this.#takes.next === null;
    const allWritten = this.#phase === 'idle' && nothingToFetch && ledger.written;
    if (ledger.settling || allWritten) this.#settle();
    if (this.#phase !== 'idle' || nothingToFetch) return;
    this.#phase = 'fetching';
    this.#host.barrier.add(() => this.#fetch());
  }

  /** Behind a barrier the target has answered everything, so it has what was written for these requests. */
  #settle(): void {
    const settling = this.#ledger.takeSettling();
    this.#host.barrier.add(async () => {
      this.#ledger.answered(this.#host.offset, this.#host.historyOffset);
      for (const request of settling) request.done(request.counts);
    });
  }

  /** What is fetched next: keys that wait come before slots that bring more of them. */
  async #fetch(): Promise<void> {
    if (this.#ledger.waiting) await this.#fetchValues();
    else await this.#list();
    // Behind the barrier: what was written before is to be answered before more is.
    setImmediate(() => this.#goOn());
  }

  async #list(): Promise<void> {
    const take = this.#takes.next;
    if (take === null) return;
    const { slots, sweep, asker } = take;
    try {
      const { address, replid } = this.#host;
      const { keys, offset } = await this.#source.keysInSlots(address, replid, slots);
      const others = sweep ? await this.#setup.targetKeys(new Set(slots)) : [];
      if (this.#closed) return;
      const all = [...keys, ...others];
      asker.left += all.length;
      this.#ledger.watch(all, asker);
      this.#takes.listed(offset);
      this.#phase = 'idle';
    } catch (error) {
      if (!this.#closed) this.#retryLater(error);
    }
  }

  /** The stream has come to where the slots' keys were listed: their commands pass, but for those of keys that wait. */
  #carryTaken(reached: number): void {
    const due = this.#takes.due(reached);
    if (due === null) return;
    this.#setup.slots?.take(due.take.slots, due.offset);
    this.#ledger.ended(due.take.asker);
  }

  async #fetchValues(): Promise<void> {
    const batch = this.#ledger.take(BATCH_KEYS);
    try {
      const { address, replid } = this.#host;
      const { groups, tooBig, left } = await this.#source.fetch(address, replid, batch);
      if (this.#closed) return;
      this.#values.add(groups);
      this.#ledger.putBack(left);
      for (const { key, bytes } of tooBig)
        this.#fail(
          key,
          `its value of about ${bytes} bytes is larger than limits.valueInMemory: copy its shard anew, or run again with a larger limit`,
        );
      this.#phase = 'fetched';
    } catch (error) {
      if (this.#closed) return;
      this.#ledger.putBack(batch);
      this.#retryLater(error);
    }
  }

  #retryLater(error: unknown): void {
    const reason = messageOf(error);
    if (this.#finishing) {
      this.#giveUp(reason);
      return;
    }
    this.#host.once('warn', `Keys that are to be copied again wait: ${reason} Trying again every second.`);
    this.#phase = 'retrying';
    this.#retryTimer = setTimeout(() => {
      if (this.#phase === 'retrying') this.#phase = 'idle';
      this.#goOn();
    }, RETRY_MS);
  }

  /** A key's re-copy does not come about: that its target copy may differ is on record. */
  #fail(key: RecopyKey, reason: string): void {
    this.#host.refused(key.database, [Buffer.from('RESTORE'), key.key], `could not be copied again: ${reason}`);
    this.#ledger.failed(key);
  }

  /** Does what may make us busy, and tells when it has. */
  #rousing(work: () => void): void {
    const before = this.busy;
    work();
    if (!before && this.busy) this.#host.begun();
  }

  #giveUp(reason: string): void {
    this.#phase = 'idle';
    for (const key of this.#ledger.take(Number.POSITIVE_INFINITY)) this.#fail(key, reason);
    for (const { slots, asker } of this.#takes.giveUp()) {
      const what = `the keys of the slots ${formatSlots(slots.map((slot) => ({ first: slot, last: slot })))}`;
      this.#host.refused(0, [Buffer.from('RESTORE'), Buffer.from(what)], `could not be copied again: ${reason}`);
      this.#ledger.ended(asker);
    }
  }
}
