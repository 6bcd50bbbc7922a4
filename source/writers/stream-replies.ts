// What the replies to the stream's commands mean. A command that the target refuses for good is recorded. One that it
// could not take now, or that belongs to another node, is noted by slot and offset: the owner lets all replies come in and
// plays the stream again from there, without what has taken effect.
import { slotOf } from '../protocol/slot.ts';
import type { Batch } from './batch.ts';
import { LINE } from './line-record.ts';
import type { MissingWrite } from './replay-filter.ts';
import { provesByError, provesByZero } from './reply-audit.ts';
import type { PartError } from './reply-reader.ts';
import type { RepliesHost } from './snapshot-replies.ts';
import { judgeReply, readMoved, type SlotMove } from './target-replies.ts';
import type { RefusedCommand } from './writer-owner.ts';

/** How long to wait before what the target can not take now is sent again. */
const RETRY_MS = 1000;

/** What kept the stream from going on, and where it has to go on from. */
export interface Trouble {
  /** As part of a sentence. */
  readonly reason: string;
  readonly delayMs: number;
  /** Everything before this position of the source has taken effect here. */
  readonly position: number;
  readonly missing: readonly MissingWrite[];
  readonly moves: readonly SlotMove[];
  /** Slots between two nodes. */
  readonly openSlots: readonly number[];
}

export interface StreamRepliesHost extends RepliesHost {
  /** The first of a trouble; called once until `take`. */
  troubled(): void;
}

export class StreamReplies {
  readonly #host: StreamRepliesHost;
  #reason: string | null = null;
  #delayMs = 0;
  #from = Number.POSITIVE_INFINITY;
  #missing: MissingWrite[] = [];
  #moves: SlotMove[] = [];
  readonly #openSlots = new Set<number>();
  readonly #barred = new Set<number>();

  constructor(host: StreamRepliesHost) {
    this.#host = host;
  }

  /** Of the first that is missing; Infinity when nothing is. */
  get position(): number {
    return this.#from;
  }

  /** Something is to be sent again. */
  get troubled(): boolean {
    return this.#reason !== null;
  }

  /** Slots in which the node has refused a key of our own, as they were between two nodes. */
  get barred(): ReadonlySet<number> {
    return this.#barred;
  }

  /** What went wrong since the last call; null when nothing did. Everything is answered. */
  take(): Trouble | null {
    if (this.#reason === null) return null;
    const trouble = {
      reason: this.#reason,
      delayMs: this.#delayMs,
      position: this.#from,
      missing: this.#missing,
      moves: this.#moves,
      openSlots: [...this.#openSlots],
    };
    this.#reason = null;
    this.#delayMs = 0;
    this.#from = Number.POSITIVE_INFINITY;
    this.#missing = [];
    this.#moves = [];
    this.#openSlots.clear();
    return trouble;
  }

  failed(batch: Batch, line: number, text: string): void {
    const { address, end } = this.#host;
    const kind = batch.lines?.slots[line] ?? LINE.own;
    const verdict = judgeReply(text);
    if (kind === LINE.multi) {
      // The commands behind it were executed outside of a block, the marker with them.
      end(`The target ${address} refused MULTI (${text}).`);
      return;
    }
    switch (verdict.meaning) {
      case 'conflict':
      case 'refused':
        if (kind === LINE.own) {
          if (beginOfBlock(batch, line) < 0) end(`The target ${address} refused a marker of redferry (${text}).`);
          break;
        }
        batch.refused.push(line);
        this.#refuse(
          { database: databaseAt(batch, line), args: batch.commandAt(line - batch.firstLine), reason: text },
          text,
        );
        break;
      case 'wait':
        this.#again(batch, line, `the target ${address} ${verdict.remedy} (${text}); trying again every second`);
        this.#delayMs = RETRY_MS;
        break;
      case 'aborted':
        this.#again(batch, line, `a transaction goes to ${address} again without the command it refused`);
        break;
      case 'moved': {
        const move = readMoved(text);
        if (move === null) {
          end(`The target ${address} ${verdict.remedy} (${text}).`);
          return;
        }
        this.#moves.push(move);
        this.#again(batch, line, `slots of the target ${address} have moved, and their commands follow them`);
        break;
      }
      case 'open-slot':
        if (kind === LINE.own && beginOfBlock(batch, line) < 0) {
          // A key of ours: nothing of the stream is missing, and it may stand elsewhere.
          this.#barred.add(slotOfOwn(batch, line));
          break;
        }
        if (kind < LINE.exec) this.#openSlots.add(kind);
        else this.#slotOfBlock(batch, line);
        this.#again(batch, line, `the target ${address} ${verdict.remedy} (${text})`);
        break;
      case 'fatal':
        end(`The target ${address} ${verdict.remedy} (${text}).`);
        break;
    }
  }

  /** Errors of single commands inside a block that was executed. */
  partlyFailed(batch: Batch, line: number, errors: readonly PartError[]): void {
    const begin = beginOfBlock(batch, line);
    for (const { index, text } of errors) {
      const at = begin + 1 + index;
      if (batch.lines?.slots[at] === LINE.own) continue;
      this.#refuse(
        {
          database: databaseAt(batch, at),
          args: batch.commandAt(at - batch.firstLine),
          reason: `inside EXEC: ${text}`,
        },
        text,
      );
    }
  }

  /** Elements of a block's reply that are 0: some commands have done nothing then, where on the source they had. */
  zeros(batch: Batch, line: number, elements: readonly number[]): void {
    const { lines } = batch;
    if (lines === null) return;
    const begin = beginOfBlock(batch, line);
    for (const element of elements) {
      const at = begin + 1 + element;
      if (lines.audited[at] !== 1 || (lines.slots[at] as number) >= LINE.exec) continue;
      const args = batch.commandAt(at - batch.firstLine);
      if (!provesByZero(args)) continue;
      this.#host.owner.diverged({ database: databaseAt(batch, at), args, reason: 'had nothing to do on the target' });
    }
  }

  /** A command that does not take effect: recorded, unless its keys are copied again for it. */
  #refuse(command: RefusedCommand, text: string): void {
    const { owner } = this.#host;
    if (!provesByError(text) || !owner.diverged(command)) owner.refused(command);
  }

  /** All replies of the batch are in. */
  answered(batch: Batch): void {
    const before = this.#missing.length;
    if (batch.again.length > 0) this.#collect(batch);
    const commands = batch.streamCommands + before - this.#missing.length;
    this.#host.give(batch);
    this.#host.owner.answered(0, commands);
  }

  /** A batch that is not going to be sent: all of it is missing. */
  drop(batch: Batch): void {
    const { lines } = batch;
    if (lines === null) return;
    this.#from = Math.min(this.#from, batch.position);
    for (let line = 0; line < lines.count; line++) {
      const slot = lines.slots[line] as number;
      if (slot < LINE.exec) this.#missing.push({ slot, offset: lines.offsets[line] as number });
    }
    this.#host.give(batch);
  }

  #again(batch: Batch, line: number, reason: string): void {
    batch.again.push(line);
    const first = this.#reason === null;
    this.#reason ??= reason;
    this.#from = Math.min(this.#from, batch.position);
    if (first) this.#host.troubled();
  }

  /** What of the batch did not take effect: single commands, and blocks as wholes but for what is refused for good. */
  #collect({ lines, firstLine, again, refused }: Batch): void {
    if (lines === null) return;
    const failed = new Set(again);
    const never = new Set(refused);
    let block: MissingWrite[] | null = null;
    for (let line = firstLine; line < lines.count; line++) {
      const slot = lines.slots[line] as number;
      if (slot === LINE.multi) block = [];
      else if (slot === LINE.exec) {
        if (failed.has(line) && block !== null) this.#missing.push(...block);
        block = null;
      } else if (slot !== LINE.own && !never.has(line)) {
        const write = { slot, offset: lines.offsets[line] as number };
        if (block !== null) block.push(write);
        else if (failed.has(line)) this.#missing.push(write);
      }
    }
  }

  /** An EXEC says that its slot is open: the block's commands tell which that is. */
  #slotOfBlock(batch: Batch, line: number): void {
    for (let at = beginOfBlock(batch, line) + 1; at < line; at++) {
      const slot = batch.lines?.slots[at] ?? LINE.own;
      if (slot < LINE.exec) this.#openSlots.add(slot);
    }
  }
}

/** The MULTI of the block that the line stands in; -1 when it stands in none. */
function beginOfBlock({ lines, firstLine }: Batch, line: number): number {
  for (let at = line - 1; lines !== null && at >= firstLine; at--) {
    if (lines.slots[at] === LINE.multi) return at;
    if (lines.slots[at] === LINE.exec) break;
  }
  return -1;
}

function slotOfOwn(batch: Batch, line: number): number {
  const [, name] = batch.commandAt(line - batch.firstLine);
  return name === undefined ? 0 : slotOf(name, 0, name.length);
}

function databaseAt(batch: Batch, line: number): number {
  let database = batch.database;
  let i = batch.firstLine;
  for (const args of batch.arguments()) {
    if (i++ === line) break;
    if (args.length === 2 && args[0]?.toString('latin1') === 'SELECT') database = Number(args[1]?.toString());
  }
  return database;
}
