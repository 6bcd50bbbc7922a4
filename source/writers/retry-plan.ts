// After the target refused commands for a while (out of memory, loading) or EXEC gave up: which commands go again, and
// which of those that passed meanwhile came too early. Works on answered batches, in order; pure.
import { encodeCommand } from '../protocol/resp-encode.ts';
import type { Batch } from './batch.ts';

export interface Overtaken {
  readonly database: number;
  readonly args: readonly Buffer[];
}

export interface RetryPlan {
  /** What to send again, with the SELECTs it needs. */
  readonly bytes: Buffer;
  readonly commands: number;
  /** Commands that took effect although an earlier one on the same key had not: their keys may differ. */
  readonly overtaken: readonly Overtaken[];
}

interface Sent {
  readonly args: readonly Buffer[];
  readonly database: number;
  readonly again: boolean;
  readonly refused: boolean;
}

/** Commands that go elsewhere, in order: single ones, and MULTI blocks as wholes. */
export type SentUnit = readonly (readonly Buffer[])[];

/** What of these batches is to be sent again, unit by unit; `all`: nothing of them was sent yet. */
export function unitsAgain(batches: readonly Batch[], all: boolean): SentUnit[] {
  const again: SentUnit[] = [];
  for (const unit of units(batches)) {
    if (all || unit.some((sent) => sent.again))
      again.push(unit.filter(({ refused }) => !refused).map(({ args }) => args));
  }
  return again;
}

/** @param endDatabase what the connection must have selected when all of it is answered. */
export function planRetry(batches: readonly Batch[], endDatabase: number): RetryPlan {
  const parts: Buffer[] = [];
  const overtaken: Overtaken[] = [];
  const waiting = new Set<string>();
  let commands = 0;
  let selected = -1;
  const send = (sent: Sent): void => {
    if (sent.database !== selected) {
      parts.push(encodeCommand(['SELECT', String(sent.database)]));
      commands++;
      selected = sent.database;
    }
    parts.push(encodeCommand(sent.args));
    commands++;
  };
  for (const unit of units(batches)) {
    if (unit.some((sent) => sent.again)) {
      for (const sent of unit) {
        if (sent.refused) continue;
        send(sent);
        if (sent.args.length > 1) waiting.add(keyOf(sent));
      }
      continue;
    }
    for (const sent of unit)
      if (!sent.refused && sent.args.length > 1 && waiting.has(keyOf(sent))) overtaken.push(sent);
  }
  if (selected !== endDatabase) {
    parts.push(encodeCommand(['SELECT', String(endDatabase)]));
    commands++;
  }
  return { bytes: Buffer.concat(parts), commands, overtaken };
}

/** Single commands, and MULTI blocks as wholes; SELECT only moves the database. */
function* units(batches: readonly Batch[]): Generator<Sent[]> {
  let block: Sent[] | null = null;
  for (const batch of batches) {
    let database = batch.database;
    let index = -1;
    for (const args of batch.arguments()) {
      index++;
      const name = nameOf(args);
      if (name === 'SELECT') {
        database = Number(args[1]?.toString());
        continue;
      }
      const sent = { args, database, again: batch.again.includes(index), refused: batch.refused.includes(index) };
      if (name === 'MULTI') block = [sent];
      else if (block === null) yield [sent];
      else block.push(sent);
      if (name === 'EXEC' && block !== null) {
        yield block;
        block = null;
      }
    }
  }
  if (block !== null) yield block;
}

function nameOf(args: readonly Buffer[]): string {
  return (args[0]?.toString('latin1') ?? '').toUpperCase();
}

/** The first argument is the key of nearly every write; it need not be exact to raise the question. */
function keyOf(sent: Sent): string {
  return `${sent.database} ${sent.args[1]?.toString('latin1') ?? ''}`;
}
