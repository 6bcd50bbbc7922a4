// From the bytes of a command's name to what is known about it, hundreds of thousands of times a second: a hash of the
// upper-cased bytes into a small open-addressed table, then a comparison of bytes. No string is made on the way.

import metadata from '@ioredis/commands/built/commands.json' with { type: 'json' };
import { ADDED_WRITES, ALSO_WRITES, KEYLESS_KINDS, KINDS, OWN_KEYS } from './command-rules.ts';
import {
  COMMAND_KIND,
  type CommandSpec,
  FLAG,
  KEY_SHAPE,
  type KeyRule,
  NO_KEYS,
  rangeKeys,
  UNKNOWN_KEYS,
} from './command-spec.ts';
import { readServerCommands } from './server-commands.ts';

// For callers: what lookup() gives, and what to compare its kind with.
export { COMMAND_KIND, type CommandSpec } from './command-spec.ts';

/** An entry of the package's table. */
interface PackageEntry {
  readonly flags: readonly string[];
  readonly keyStart: number;
  readonly keyStop: number;
  readonly step: number;
  readonly subcommands?: Readonly<Record<string, PackageEntry>>;
}

const BLANK = 0x20;

export class CommandTable {
  readonly #byName = new Map<string, CommandSpec>();
  /** Hash table: 1 + the number of a spec, or 0. */
  #slots = new Int32Array(0);
  #specs: CommandSpec[] = [];
  /** All names one behind the other; that of spec i stands at [#nameEnds[i - 1], #nameEnds[i]). */
  #names = new Uint8Array(0);
  #nameEnds = new Int32Array(0);

  constructor() {
    const entries: Readonly<Record<string, PackageEntry>> = metadata;
    for (const [name, entry] of Object.entries(entries)) this.#addPackageEntry(name, entry);
    for (const [name, keys] of Object.entries(ADDED_WRITES))
      this.#put(makeSpec(name, FLAG.WRITE | FLAG.DENY_OOM, keys));
    this.#rebuild();
  }

  /** How many commands are known, the members of families each for themselves. */
  get size(): number {
    return this.#specs.length;
  }

  /**
   * What is known about the command whose arguments stand at the offsets, the name first; null when nothing is. An
   * unknown member of a known family gives the family, whose keys are unknown.
   */
  lookup(buffer: Uint8Array, offsets: Int32Array, lengths: Int32Array, argc: number): CommandSpec | null {
    if (argc < 1) return null;
    const start = offsets[0] ?? 0;
    const end = start + (lengths[0] ?? 0);
    const hash = hashOf(0, buffer, start, end);
    const spec = this.#find(hash, buffer, start, end, 0, 0);
    if (spec === null || argc < 2 || (spec.flags & FLAG.CONTAINER) === 0) return spec;
    const memberStart = offsets[1] ?? 0;
    const memberEnd = memberStart + (lengths[1] ?? 0);
    const memberHash = hashOf(Math.imul(hash, 31) + (BLANK & 0xdf), buffer, memberStart, memberEnd);
    return this.#find(memberHash, buffer, start, end, memberStart, memberEnd) ?? spec;
  }

  /**
   * Adds from a server's answer to COMMAND what the table does not know: modules, newer versions, renamed forks. What is
   * known stays; gives how many were added.
   */
  addFromServer(commandInfoReply: unknown): number {
    let added = 0;
    for (const { name, flags, keys, container } of readServerCommands(commandInfoReply)) {
      const known = this.#byName.get(name);
      if (known !== undefined && (known.keys.shape !== KEY_SHAPE.UNKNOWN || (known.flags & FLAG.CONTAINER) !== 0))
        continue;
      let bits: number = FLAG.FROM_SERVER;
      if (flags.has('write')) bits |= FLAG.WRITE;
      if (flags.has('denyoom')) bits |= FLAG.DENY_OOM;
      if (container) bits |= FLAG.CONTAINER;
      this.#put(makeSpec(name, bits, container ? UNKNOWN_KEYS : keys));
      added++;
    }
    if (added > 0) this.#rebuild();
    return added;
  }

  /** All specs, for tests and for showing. */
  all(): readonly CommandSpec[] {
    return this.#specs;
  }

  #addPackageEntry(name: string, entry: PackageEntry): void {
    const upper = name.toUpperCase();
    let flags = 0;
    if (entry.flags.includes('write')) flags |= FLAG.WRITE;
    if (entry.flags.includes('denyoom')) flags |= FLAG.DENY_OOM;
    if (entry.subcommands === undefined) {
      this.#put(makeSpec(upper, flags, OWN_KEYS[upper] ?? packageKeys(entry)));
      return;
    }
    this.#put(makeSpec(upper, flags | FLAG.CONTAINER, UNKNOWN_KEYS));
    for (const [member, inner] of Object.entries(entry.subcommands)) this.#addPackageEntry(`${upper} ${member}`, inner);
  }

  #put(spec: CommandSpec): void {
    this.#byName.set(spec.name, spec);
  }

  #rebuild(): void {
    this.#specs = [...this.#byName.values()];
    this.#names = Buffer.from(this.#specs.map((spec) => spec.name).join(''), 'latin1');
    this.#nameEnds = new Int32Array(this.#specs.length);
    // At most a quarter full: a name that is not there is found out by one look.
    const size = 1 << Math.ceil(Math.log2(4 * this.#specs.length));
    this.#slots = new Int32Array(size);
    let end = 0;
    for (const [index, spec] of this.#specs.entries()) {
      const hash = hashOf(0, this.#names, end, end + spec.name.length);
      end += spec.name.length;
      this.#nameEnds[index] = end;
      let slot = mixed(hash) & (size - 1);
      while (this.#slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      this.#slots[slot] = index + 1;
    }
  }

  /** With a member (memberEnd > 0) the name is both with a blank between. */
  #find(
    hash: number,
    buffer: Uint8Array,
    start: number,
    end: number,
    memberStart: number,
    memberEnd: number,
  ): CommandSpec | null {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const length = memberEnd === 0 ? end - start : end - start + 1 + memberEnd - memberStart;
    for (let slot = mixed(hash) & mask; ; slot = (slot + 1) & mask) {
      const index = (slots[slot] ?? 0) - 1;
      if (index < 0) return null;
      const nameStart = index === 0 ? 0 : (this.#nameEnds[index - 1] ?? 0);
      if ((this.#nameEnds[index] ?? 0) - nameStart !== length) continue;
      if (!same(buffer, start, end, this.#names, nameStart)) continue;
      const blankAt = nameStart + end - start;
      if (
        memberEnd !== 0 &&
        !(this.#names[blankAt] === BLANK && same(buffer, memberStart, memberEnd, this.#names, blankAt + 1))
      )
        continue;
      const spec = this.#specs[index];
      // One argument with a blank in it is no command.
      if (spec === undefined || (memberEnd === 0 && (spec.flags & FLAG.MEMBER) !== 0)) return null;
      return spec;
    }
  }
}

function makeSpec(name: string, flags: number, keys: KeyRule): CommandSpec {
  const family = name.split(' ', 1)[0] ?? name;
  const kind = KINDS[name] ?? KINDS[family] ?? COMMAND_KIND.NORMAL;
  const writes = (flags & FLAG.WRITE) !== 0 || ALSO_WRITES.has(name);
  return {
    name,
    kind,
    class: KEYLESS_KINDS.has(kind) ? 'keyless' : writes ? 'write' : 'other',
    flags: flags | (writes ? FLAG.WRITE : 0) | (family === name ? 0 : FLAG.MEMBER),
    keys: KEYLESS_KINDS.has(kind) ? NO_KEYS : keys,
  };
}

function packageKeys(entry: PackageEntry): KeyRule {
  // Every movable one should have a rule of its own; one that came with an update of the package must not be guessed.
  if (entry.flags.includes('movablekeys')) return UNKNOWN_KEYS;
  return entry.step > 0 ? rangeKeys(entry.keyStart, entry.keyStop, entry.step) : NO_KEYS;
}

/** Clearing bit 5 makes letters upper case; that it makes some other bytes alike costs a comparison at most. */
function hashOf(seed: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = seed;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + ((bytes[i] ?? 0) & 0xdf)) | 0;
  return hash;
}

function mixed(hash: number): number {
  return hash ^ (hash >>> 11);
}

/** Whether the bytes, upper-cased, are those of the name at `nameStart`. */
function same(bytes: Uint8Array, start: number, end: number, names: Uint8Array, nameStart: number): boolean {
  for (let i = start, j = nameStart; i < end; i++, j++) {
    const byte = bytes[i] ?? 0;
    if ((byte >= 0x61 && byte <= 0x7a ? byte - 32 : byte) !== names[j]) return false;
  }
  return true;
}
