// A command as the stream parser hands it over: one buffer and where its arguments stand in it.

import type { CommandSpec, CommandTable } from '../../source/protocol/command-table.ts';
import { findKeys } from '../../source/protocol/key-finder.ts';

export interface Ranges {
  readonly buffer: Buffer;
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
  readonly argc: number;
}

export function rangesOf(args: readonly string[]): Ranges {
  const offsets = new Int32Array(args.length + 3);
  const lengths = new Int32Array(args.length + 3);
  // Behind argc stands what an earlier command left there.
  offsets.fill(1);
  lengths.fill(4);
  let text = '*9\r\n';
  for (const [index, arg] of args.entries()) {
    text += `$${arg.length}\r\n`;
    offsets[index] = text.length;
    lengths[index] = arg.length;
    text += `${arg}\r\n`;
  }
  return { buffer: Buffer.from(text, 'latin1'), offsets, lengths, argc: args.length };
}

export function lookup(table: CommandTable, ...args: readonly string[]): CommandSpec | null {
  const { buffer, offsets, lengths, argc } = rangesOf(args);
  return table.lookup(buffer, offsets, lengths, argc);
}

/** The keys themselves; null when they cannot be told. */
export function keysOf(spec: CommandSpec, args: readonly string[]): string[] | null {
  const { buffer, offsets, lengths, argc } = rangesOf(args);
  const out = new Int32Array(argc);
  const count = findKeys(spec, buffer, offsets, lengths, argc, out);
  return count < 0 ? null : Array.from(out.subarray(0, count), (index) => args[index] ?? '');
}
