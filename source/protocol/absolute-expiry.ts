// Makes relative expiries absolute. Sources before Redis 7.0 replicate them as they were given, so that each would begin
// anew when it is applied: after a pause of a minute every key would live a minute too long.
//
// What arrives (seen on 6.0.16; t_string.c, expire.c, cluster.c of 5.0.14, 6.0.16 and 6.2.14), names and options as clients
// wrote them, also from within MULTI and from scripts, whose effects are sent:
//   5.0, 6.0  SET with EX or PX (also twice: the last holds), SETEX, PSETEX, EXPIRE, PEXPIRE, RESTORE, RESTORE-ASKING
//   6.2       SET k v PX ms in place of the first three and of their options, PEXPIRE in place of GETEX, the rest as above
// EXPIRE of 0 or less and RESTORE of a past time arrive as DEL, but are legal and so are made absolute as well. A source
// with `lua-replicate-commands no` (and any before 5.0) sends EVAL itself: what that expires can not be seen here.
// An AOF has absolute times already (catAppendOnlyExpireAtCommand of aof.c), but for RESTORE.
import type { ServerVersion } from '../topology/topology.ts';
import { type CommandBytes, is, NewCommand, roomFor, type Time, time } from './new-command.ts';

export interface ExpiryRewriterOptions {
  /** SET takes PXAT (6.2 and newer); else SET is followed by PEXPIREAT. */
  readonly setTakesExpiry: boolean;
}

// ASCII, lower case.
const SET = Buffer.from('set');
const SETEX = Buffer.from('setex');
const PSETEX = Buffer.from('psetex');
const EXPIRE = Buffer.from('expire');
const PEXPIRE = Buffer.from('pexpire');
const RESTORE = Buffer.from('restore');
const RESTORE_ASKING = Buffer.from('restore-asking');
const EX = Buffer.from('ex');
const PX = Buffer.from('px');
const EXAT = Buffer.from('exat');
const PXAT = Buffer.from('pxat');
const NX = Buffer.from('nx');
const XX = Buffer.from('xx');
const GET = Buffer.from('get');
const ABSTTL = Buffer.from('absttl');
const BULK_SET = Buffer.from('$3\r\nSET\r\n');
const BULK_PXAT = Buffer.from('$4\r\nPXAT\r\n');
const BULK_PEXPIREAT = Buffer.from('$9\r\nPEXPIREAT\r\n');
const BULK_ABSTTL = Buffer.from('$6\r\nABSTTL\r\n');

const MINUS = 45;
const ZERO = 48;

export type { CommandBytes } from './new-command.ts';

/** Whether a source of that version sends relative expiries. */
export function sendsRelativeExpiries({ product, major }: ServerVersion): boolean {
  return product === 'Redis' && major < 7;
}

export class ExpiryRewriter {
  readonly #setTakesExpiry: boolean;

  constructor({ setTakesExpiry }: ExpiryRewriterOptions) {
    this.#setTakesExpiry = setTakesExpiry;
  }

  /**
   * Whether `rewrite` has something to do: a relative expiry, or a SET with an absolute one that the target does not
   * understand. Nearly free for other commands: most are told by the length of their name.
   */
  needsRewrite(command: CommandBytes): boolean {
    const { count } = command;
    switch (command.lengths[0]) {
      case SET.length:
        return count > 4 && is(SET, command, 0) && this.#setExpires(command);
      case SETEX.length:
        return count === 4 && is(SETEX, command, 0);
      case EXPIRE.length:
        return (count > 2 && is(EXPIRE, command, 0)) || (count === 4 && is(PSETEX, command, 0));
      case PEXPIRE.length:
        return (count > 2 && is(PEXPIRE, command, 0)) || (is(RESTORE, command, 0) && restoreExpires(command));
      case RESTORE_ASKING.length:
        return is(RESTORE_ASKING, command, 0) && restoreExpires(command);
      default:
        return false;
    }
  }

  /**
   * The same with an absolute expiry: one command, or SET and PEXPIREAT for a target that needs two (between them the key
   * has no expiry; who wants both or none wraps them). The bytes are the caller's to keep.
   * null: nothing to do, or nothing that a server would take; then the command goes on as it is.
   * @param executedAtMs when the source executed it, unix ms by the source's clock.
   */
  rewrite(command: CommandBytes, executedAtMs: number): readonly Buffer[] | null {
    if (!this.needsRewrite(command)) return null;
    const nowMs = Math.round(executedAtMs);
    switch (command.lengths[0]) {
      case SET.length:
        return this.#rewriteSet(command, nowMs);
      case SETEX.length:
        return this.#set(command, 3, positiveTime(command, 2, 1000, nowMs));
      case EXPIRE.length:
        return is(EXPIRE, command, 0)
          ? expireAt(command, time(command, 2, 1000, nowMs))
          : this.#set(command, 3, positiveTime(command, 2, 1, nowMs));
      default:
        return is(PEXPIRE, command, 0)
          ? expireAt(command, time(command, 2, 1, nowMs))
          : restoreAt(command, positiveTime(command, 2, 1, nowMs));
    }
  }

  #setExpires(command: CommandBytes): boolean {
    for (let i = 3; i < command.count; i++) {
      const length = command.lengths[i];
      if (length === 2) {
        if (is(EX, command, i) || is(PX, command, i)) return true;
      } else if (length === 4 && !this.#setTakesExpiry) {
        if (is(EXAT, command, i) || is(PXAT, command, i)) return true;
      }
    }
    return false;
  }

  /**
   * NX, XX and GET go: a source sends only what took effect, and 6.2 and 7.0 themselves make `SET k v PXAT ms` of it
   * (setGenericCommand). With NX kept, a target that has the key would pass over the value and take the PEXPIREAT.
   */
  #rewriteSet(command: CommandBytes, nowMs: number): readonly Buffer[] | null {
    let expiry: Buffer | null = null;
    let condition: Buffer | null = null;
    let value = 0;
    for (let i = 3; i < command.count; i++) {
      const option = setOption(command, i);
      if (option === GET) continue;
      if (option === NX || option === XX) {
        if (condition !== null && condition !== option) return null;
        condition = option;
        continue;
      }
      if (option === null || i + 1 === command.count || (expiry !== null && expiry !== option)) return null;
      expiry = option;
      value = ++i;
    }
    const unitMs = expiry === EX || expiry === EXAT ? 1000 : 1;
    const baseMs = expiry === EX || expiry === PX ? nowMs : 0;
    return expiry === null ? null : this.#set(command, 2, positiveTime(command, value, unitMs, baseMs));
  }

  /** @param value which argument is the value. */
  #set(command: CommandBytes, value: number, expiresAt: Time): readonly Buffer[] | null {
    if (expiresAt === null) return null;
    const keyBytes = command.lengths[1] as number;
    const set = new NewCommand(this.#setTakesExpiry ? 5 : 3, keyBytes + (command.lengths[value] as number));
    set.words(BULK_SET);
    set.argument(command, 1);
    set.argument(command, value);
    if (this.#setTakesExpiry) {
      set.words(BULK_PXAT);
      set.time(expiresAt);
      return [set.end()];
    }
    const expire = new NewCommand(3, keyBytes);
    expire.words(BULK_PEXPIREAT);
    expire.argument(command, 1);
    expire.time(expiresAt);
    return [set.end(), expire.end()];
  }
}

/** null: none that goes with an expiry (KEEPTTL does not). */
function setOption(command: CommandBytes, index: number): Buffer | null {
  for (const option of SET_OPTIONS) if (is(option, command, index)) return option;
  return null;
}

const SET_OPTIONS = [EX, PX, NX, XX, GET, EXAT, PXAT] as const;

/** EXPIRE or PEXPIRE; what else it may have is kept. */
function expireAt(command: CommandBytes, expiresAt: Time): readonly Buffer[] | null {
  if (expiresAt === null) return null;
  const expire = new NewCommand(command.count, roomFor(command));
  expire.words(BULK_PEXPIREAT);
  expire.argument(command, 1);
  expire.time(expiresAt);
  for (let i = 3; i < command.count; i++) expire.argument(command, i);
  return [expire.end()];
}

function restoreExpires(command: CommandBytes): boolean {
  const { bytes, offsets, lengths, count } = command;
  if (count < 4 || (lengths[2] === 1 && bytes[offsets[2] as number] === ZERO)) return false;
  for (let i = 4; i < count; i++) if (is(ABSTTL, command, i)) return false;
  return true;
}

/** RESTORE or RESTORE-ASKING, all else of it kept. */
function restoreAt(command: CommandBytes, expiresAt: Time): readonly Buffer[] | null {
  if (expiresAt === null) return null;
  const restore = new NewCommand(command.count + 1, roomFor(command));
  restore.argument(command, 0);
  restore.argument(command, 1);
  restore.time(expiresAt);
  for (let i = 3; i < command.count; i++) restore.argument(command, i);
  restore.words(BULK_ABSTTL);
  return [restore.end()];
}

/** As `time`, where 0 and less are errors. */
function positiveTime(command: CommandBytes, index: number, unitMs: number, baseMs: number): Time {
  const first = command.bytes[command.offsets[index] as number];
  return first === MINUS || first === ZERO ? null : time(command, index, unitMs, baseMs);
}
