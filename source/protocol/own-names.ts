// redferry's own keys on a server that is, or was, the target of a run: markers, leases, states. They say nothing about the
// data and are never copied on. The temporary names under which big values are written are no part of that: the value gets
// its own name by a RENAME, which a run that copies on from there must be able to carry out.

const OWN = Buffer.from('redferry:');
const TEMPORARY = Buffer.from(':value-');
const FIRST_BYTE = OWN[0];
/** Commands that take more keys behind the first, by how many arguments each key has. */
const SEVERAL_KEYS: ReadonlyMap<string, number> = new Map([
  ['DEL', 1],
  ['UNLINK', 1],
  ['TOUCH', 1],
  ['MSET', 2],
]);

/** A command as a parser gives it: its arguments stand in `bytes`. */
export interface CommandArguments {
  readonly bytes: Buffer;
  readonly offsets: ArrayLike<number>;
  readonly lengths: ArrayLike<number>;
  readonly count: number;
}

/** Whether the name is one of those that are never copied on. One look at a byte for almost all that are not. */
export function isOwnName(bytes: Buffer, start: number, length: number): boolean {
  if (bytes[start] !== FIRST_BYTE || length < OWN.length) return false;
  if (OWN.compare(bytes, start, start + OWN.length) !== 0) return false;
  return !bytes.subarray(start, start + length).includes(TEMPORARY);
}

/** Whether a command of a stream writes to such keys and to no others. */
export function isOwnCommand(command: CommandArguments): boolean {
  const { bytes, offsets, lengths, count } = command;
  if (count < 2 || !isOwnName(bytes, offsets[1] as number, lengths[1] as number)) return false;
  const nameAt = offsets[0] as number;
  const name = bytes.toString('latin1', nameAt, nameAt + (lengths[0] as number)).toUpperCase();
  const step = SEVERAL_KEYS.get(name);
  if (step === undefined) return true;
  for (let i = 1 + step; i < count; i += step) {
    if (!isOwnName(bytes, offsets[i] as number, lengths[i] as number)) return false;
  }
  return true;
}
