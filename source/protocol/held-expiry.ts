// While a run lasts, whatever expires on the target expires HOLD_MS later than on the source, so that the target never
// removes a key by itself, as a replica does not: the source's DEL does, and what is left at the end gets its own time back
// (engine/expiry/settle-expiries.ts). All expiries move by the same span, so that NX, XX, GT and LT see what they saw on the source.
//
// What arrives (seen on Redis 7.0.15, 8.0 and Valkey 9): names and options as clients wrote them, all times absolute,
//   SET k v PXAT ms, PEXPIREAT k ms [GT|LT|...], HPEXPIREAT k ms [GT|...] FIELDS n f.., HSETEX k [FXX] PXAT ms FIELDS ..,
//   RESTORE k ms payload ABSTTL; of sources before 7.0 also EXPIREAT k seconds and SET k v EXAT seconds.
// A condition arrives with what it let through: Redis 8.0 leaves out the fields it did not, Valkey 9 sends them all.
import { type CommandBytes, is, NewCommand, roomFor, type Time, time } from './new-command.ts';

/**
 * 253.5 years. A constant, so that any later run recognises what an earlier one left held. And a first digit: every time
 * from 2001 to 2033 is 1 and twelve digits, held it is 9 and the same twelve, which is written in its place.
 */
export const HOLD_MS = 8_000_000_000_000;
const HOLD_SECONDS = HOLD_MS / 1000;

/** Of a time in ms and in seconds that holding changes in one digit. */
const MS_DIGITS = 13;
const SECONDS_DIGITS = 10;
const ONE = 49;
const NINE = 57;
const ZERO = 48;

const SET = Buffer.from('set');
const HSETEX = Buffer.from('hsetex');
const MSETEX = Buffer.from('msetex');
const RESTORE = Buffer.from('restore');
const RESTORE_ASKING = Buffer.from('restore-asking');
const EXPIREAT = Buffer.from('expireat');
const PEXPIREAT = Buffer.from('pexpireat');
const HEXPIREAT = Buffer.from('hexpireat');
const HPEXPIREAT = Buffer.from('hpexpireat');
const EXAT = Buffer.from('exat');
const PXAT = Buffer.from('pxat');
const ABSTTL = Buffer.from('absttl');
const FIELDS = Buffer.from('fields');
/** Arguments of EXPIREAT without a condition, and of HEXPIREAT of one field without one. */
const PLAIN_EXPIRE = 3;
const PLAIN_FIELD_EXPIRE = 6;

/** Whether a time that was read from a target is a held one (of what this program wrote). */
export function isHeld(expiresAtMs: number): boolean {
  return expiresAtMs >= HOLD_MS;
}

/** The time of a key on the source, from what the target says; without a change where it is not held. */
export function exactExpiry(expiresAtMs: number): number {
  return isHeld(expiresAtMs) ? expiresAtMs - HOLD_MS : expiresAtMs;
}

export class ExpiryHold {
  /** Expiries that were written held. */
  count = 0;
  /** Who holds what stands inside of a RESTORE's payload: gives another payload, or null. */
  payloads: ((payload: Buffer) => Buffer | null) | null = null;
  readonly #keys: boolean;
  readonly #fields: boolean;

  /** What is held: expiries of keys, and of the fields of hashes. What the target keeps from expiring by itself is not. */
  constructor(what: { readonly keys: boolean; readonly fields: boolean }) {
    this.#keys = what.keys;
    this.#fields = what.fields;
  }

  get fields(): boolean {
    return this.#fields;
  }

  /** @param expiresAtMs of a key on the source, unix ms; -1 for none. @returns what to write. */
  key(expiresAtMs: number): number {
    if (expiresAtMs < 0 || !this.#keys) return expiresAtMs;
    this.count++;
    return expiresAtMs + HOLD_MS;
  }

  /** The same for a field of a hash. */
  field(expiresAtMs: number): number {
    if (expiresAtMs < 0 || !this.#fields) return expiresAtMs;
    this.count++;
    return expiresAtMs + HOLD_MS;
  }

  /**
   * Holds what a command of the stream sets. Nearly free for the others: they are told by the length of their name.
   * @returns null: the command goes on as it stands, its digit changed in place where it needed that; else the bytes that
   * go instead: where the length changes, and without a condition that took effect on the source.
   */
  command(command: CommandBytes): Buffer | null {
    switch (command.lengths[0]) {
      case SET.length:
        return command.count > 4 && is(SET, command, 0) ? this.#option(command, 3, this.#keys) : null;
      case HSETEX.length:
        if (is(HSETEX, command, 0)) return this.#option(command, 2, this.#fields);
        return is(MSETEX, command, 0) ? this.#option(command, behindPairs(command), this.#keys) : null;
      case RESTORE.length:
        return is(RESTORE, command, 0) ? this.#restore(command) : null;
      case EXPIREAT.length:
        return is(EXPIREAT, command, 0) ? this.#expire(command, HOLD_SECONDS) : null;
      case PEXPIREAT.length:
        if (is(PEXPIREAT, command, 0)) return this.#expire(command, HOLD_MS);
        return is(HEXPIREAT, command, 0) ? this.#expireFields(command, HOLD_SECONDS) : null;
      case HPEXPIREAT.length:
        return is(HPEXPIREAT, command, 0) ? this.#expireFields(command, HOLD_MS) : null;
      case RESTORE_ASKING.length:
        return is(RESTORE_ASKING, command, 0) ? this.#restore(command) : null;
      default:
        return null;
    }
  }

  /** SET and its like: PXAT or EXAT among the options, which begin at `from` and end where fields do. */
  #option(command: CommandBytes, from: number, wanted: boolean): Buffer | null {
    if (!wanted) return null;
    for (let i = from; i + 1 < command.count; i++) {
      if (is(PXAT, command, i)) return this.#hold(command, i + 1, HOLD_MS);
      if (is(EXAT, command, i)) return this.#hold(command, i + 1, HOLD_SECONDS);
      if (is(FIELDS, command, i)) return null;
    }
    return null;
  }

  #restore(command: CommandBytes): Buffer | null {
    const { bytes, offsets, lengths, count } = command;
    if (count < 4) return null;
    const start = offsets[3] as number;
    const payload = this.#fields ? this.payloads?.(bytes.subarray(start, start + (lengths[3] as number))) : null;
    const expires = this.#keys && this.#isAbsolute(command);
    if (payload === null || payload === undefined) return expires ? this.#hold(command, 2, HOLD_MS) : null;
    const at = laterBy(expires ? HOLD_MS : 0, command, 2);
    if (at === null) return null;
    if (expires) this.count++;
    const instead = new NewCommand(count, roomFor(command) + payload.length);
    for (let i = 0; i < count; i++) {
      if (i === 2 && expires) instead.time(at);
      else if (i === 3) instead.bulk(payload);
      else instead.argument(command, i);
    }
    return instead.end();
  }

  #isAbsolute(command: CommandBytes): boolean {
    const { bytes, offsets, lengths, count } = command;
    if (lengths[2] === 1 && bytes[offsets[2] as number] === ZERO) return false;
    for (let i = 4; i < count; i++) if (is(ABSTTL, command, i)) return true;
    return false;
  }

  /** The condition let it through on the source: what else the target may hold, it is to have this expiry. */
  #expire(command: CommandBytes, hold: number): Buffer | null {
    if (command.count < PLAIN_EXPIRE) return null;
    if (command.count === PLAIN_EXPIRE) return this.#keys ? this.#hold(command, 2, hold) : null;
    return this.#rewritten(command, hold, this.#keys, (i) => i >= PLAIN_EXPIRE);
  }

  /** Of one field the condition is left out; of several it may have let through some only. */
  #expireFields(command: CommandBytes, hold: number): Buffer | null {
    if (command.count === PLAIN_FIELD_EXPIRE + 1 && is(FIELDS, command, 4))
      return this.#rewritten(command, hold, this.#fields, (i) => i === 3);
    return command.count >= PLAIN_FIELD_EXPIRE && this.#fields ? this.#hold(command, 2, hold) : null;
  }

  #rewritten(command: CommandBytes, hold: number, wanted: boolean, leftOut: (index: number) => boolean): Buffer | null {
    const at = laterBy(wanted ? hold : 0, command, 2);
    if (at === null) return null;
    if (wanted) this.count++;
    let count = 0;
    for (let i = 0; i < command.count; i++) if (!leftOut(i)) count++;
    const instead = new NewCommand(count, roomFor(command));
    for (let i = 0; i < command.count; i++) {
      if (leftOut(i)) continue;
      if (i === 2) instead.time(at);
      else instead.argument(command, i);
    }
    return instead.end();
  }

  /** @param index of the time. @param hold in its unit. */
  #hold(command: CommandBytes, index: number, hold: number): Buffer | null {
    const start = command.offsets[index] as number;
    const digits = hold === HOLD_MS ? MS_DIGITS : SECONDS_DIGITS;
    if (command.lengths[index] === digits && command.bytes[start] === ONE) {
      command.bytes[start] = NINE;
      this.count++;
      return null;
    }
    const at = laterBy(hold, command, index);
    // No server takes such a time: the target says so itself.
    if (at === null) return null;
    this.count++;
    const instead = new NewCommand(command.count, roomFor(command));
    for (let i = 0; i < command.count; i++) {
      if (i === index) instead.time(at);
      else instead.argument(command, i);
    }
    return instead.end();
  }
}

/** A time before 1970 is long past all the same. null: no server takes it. */
function laterBy(hold: number, command: CommandBytes, index: number): Time {
  const at = time(command, index, 1, 0);
  return typeof at === 'bigint' ? at + BigInt(hold) : at === null ? null : at + hold;
}

/** Of MSETEX, which begins with the number of its pairs of key and value: where its options do. */
function behindPairs(command: CommandBytes): number {
  const pairs = command.count > 1 ? time(command, 1, 1, 0) : null;
  return typeof pairs === 'number' ? 2 + 2 * pairs : command.count;
}
