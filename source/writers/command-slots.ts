// Which slot of a cluster the keys of a command belong to. Makes no object for a command.
import type { CommandSpec } from '../protocol/command-spec.ts';
import { findKeys } from '../protocol/key-finder.ts';
import { slotOf } from '../protocol/slot.ts';
import type { StreamParser } from '../readers/stream-parser.ts';

/** What `of` gives for keys of several slots. */
export const MIXED_SLOTS = -2;
/** What `of` gives when there is no key, or none can be told. */
export const NO_SLOT = -1;

/** More keys than this in one command make the list grow. */
const MOST_KEYS = 1024;

export class CommandSlots {
  /** Of the command that `find` looked at last: which of its arguments are keys. */
  keys = new Int32Array(MOST_KEYS);

  /** The one slot of all keys, MIXED_SLOTS, or NO_SLOT. */
  of(command: StreamParser, spec: CommandSpec | null): number {
    if (spec === null) return NO_SLOT;
    const count = this.find(command, spec);
    if (count <= 0) return NO_SLOT;
    const { bytes, offsets, lengths } = command;
    const first = this.keys[0] as number;
    const slot = slotOf(bytes, offsets[first] as number, lengths[first] as number);
    for (let i = 1; i < count; i++) {
      const key = this.keys[i] as number;
      if (slotOf(bytes, offsets[key] as number, lengths[key] as number) !== slot) return MIXED_SLOTS;
    }
    return slot;
  }

  /** Puts the places of the command's keys into `keys`; gives how many there are. */
  find(command: StreamParser, spec: CommandSpec): number {
    if (command.count > this.keys.length) this.keys = new Int32Array(command.count * 2);
    return findKeys(spec, command.bytes, command.offsets, command.lengths, command.count, this.keys);
  }
}
