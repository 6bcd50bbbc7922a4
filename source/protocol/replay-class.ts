// Which commands may reach a cluster target bare, without MULTI and a marker around them: those of which any run, played
// again in its order from any of its commands on, ends where it ended the first time. They assign constants and look at
// nothing. What is not here travels wrapped, and is skipped by its slot's marker when a stream is played again.
//
// Not here, though they look harmless (pitfalls 8 and 9, seen on 7.0, 8.0 and Valkey 8.1):
//   PEXPIREAT, PERSIST  played again after the first of two expiries has passed, the key is gone before the second renews it
//   SREM, HDEL, ZREM    emptying a collection drops its expiry, and a replay meets other elements than the first time
//   SET with NX, XX     looks at the key;  SET with EX, PX: another time the second time
// test/engine/replay-fuzz.test.ts guards this list on a real server.
//
// The promise holds for runs of bare commands only: SET k 5 before INCR k is not to be played again without the INCR. So a
// slot's marker covers its bare commands too: what stands at or below it is skipped, whatever it is.
import type { CommandBytes } from './absolute-expiry.ts';

// ASCII, lower case.
const SET = Buffer.from('set');
const DEL = Buffer.from('del');
const SADD = Buffer.from('sadd');
const ZADD = Buffer.from('zadd');
const HSET = Buffer.from('hset');
const HMSET = Buffer.from('hmset');
const UNLINK = Buffer.from('unlink');
const RESTORE = Buffer.from('restore');
const KEEPTTL = Buffer.from('keepttl');
const EXAT = Buffer.from('exat');
const PXAT = Buffer.from('pxat');
const REPLACE = Buffer.from('replace');
const ABSTTL = Buffer.from('absttl');

const LOWER_CASE = 32;
const LOWER_A = 97;
const LOWER_Z = 122;

/**
 * Whether the command may travel bare; false whenever that is not certain. Not for a command of a MULTI block of the
 * source: those stay together. Nearly free (5 to 20 ns, RESTORE 45): told by the length and the bytes of its name.
 */
export function isBare(command: CommandBytes): boolean {
  const { count } = command;
  switch (command.lengths[0]) {
    case 3:
      return (count > 2 && is(SET, command, 0) && setIsConstant(command)) || (count > 1 && is(DEL, command, 0));
    case 4:
      if (is(HSET, command, 0)) return isPairs(command);
      if (is(SADD, command, 0)) return count > 2;
      return is(ZADD, command, 0) && isPairs(command) && !isZaddOption(command);
    case 5:
      return is(HMSET, command, 0) && isPairs(command);
    case 6:
      return count > 1 && is(UNLINK, command, 0);
    case 7:
      return count > 5 && is(RESTORE, command, 0) && restoreIsConstant(command);
    default:
      return false;
  }
}

/** SET key value, with KEEPTTL, or with one absolute expiry. Without any of them it takes the key's expiry away. */
function setIsConstant(command: CommandBytes): boolean {
  switch (command.count) {
    case 3:
      return true;
    case 4:
      return is(KEEPTTL, command, 3);
    case 5:
      return is(PXAT, command, 3) || is(EXAT, command, 3);
    default:
      return false;
  }
}

/** Name, key, and pairs. */
function isPairs({ count }: CommandBytes): boolean {
  return count > 3 && (count & 1) === 0;
}

/** Behind the key stands a word and not a score: NX, XX, GT, LT, CH or INCR. Scores with letters begin with inf or nan. */
function isZaddOption(command: CommandBytes): boolean {
  const length = command.lengths[2] as number;
  if (length !== 2 && length !== 4) return false;
  const first = (command.bytes[command.offsets[2] as number] as number) | LOWER_CASE;
  return first >= LOWER_A && first <= LOWER_Z;
}

/** RESTORE key time payload with both REPLACE and ABSTTL, and IDLETIME or FREQ perhaps. */
function restoreIsConstant(command: CommandBytes): boolean {
  let replaces = false;
  let absolute = false;
  for (let i = 4; i < command.count; i++) {
    if (is(REPLACE, command, i)) replaces = true;
    else if (is(ABSTTL, command, i)) absolute = true;
    else i++;
  }
  return replaces && absolute;
}

/** Whether an argument is a word (given in lower case, letters only), in any case. */
function is(word: Buffer, command: CommandBytes, index: number): boolean {
  if (command.lengths[index] !== word.length) return false;
  const start = command.offsets[index] as number;
  for (let i = 0; i < word.length; i++) {
    const byte = command.bytes[start + i] as number;
    // A letter differs from its other case by that bit alone, and nothing but the two becomes a letter by it.
    if ((byte | LOWER_CASE) !== word[i]) return false;
  }
  return true;
}
