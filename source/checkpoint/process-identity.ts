// Who we are among the processes that may hold a lease, and whether another of them still lives. Process numbers mean
// something only within one boot of one machine and one container, and are given again: all of that is part of the name.
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  /** For people. */
  readonly host: string;
  /** Within which `pid` means something: this boot and this container; where the system does not tell, the host. */
  readonly place: string;
  readonly pid: number;
  /** When it began, in the system's own count; empty where the system does not tell. */
  readonly started: string;
}

export async function thisProcess(): Promise<ProcessIdentity> {
  const host = hostname();
  const { pid } = process;
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
    const processes = await readlink('/proc/self/ns/pid');
    return { host, place: `${boot} ${processes}`, pid, started: (await startOf(pid)) ?? '' };
  } catch {
    return { host, place: host, pid, started: '' };
  }
}

/** Whether `other` is certainly no more. false also when it can not be known from here. */
export async function isGone(other: ProcessIdentity, own: ProcessIdentity): Promise<boolean> {
  if (other.place !== own.place) return false;
  // Another process may have its number by now.
  if (other.started !== '' && own.started !== '') return (await startOf(other.pid)) !== other.started;
  try {
    process.kill(other.pid, 0);
    return false;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH';
  }
}

/** Of a living process of this machine, as Linux counts (proc(5), field 22 of stat); null when there is none. */
async function startOf(pid: number): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The name, in parentheses, may hold anything; behind it come the state and the numbers.
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return state === undefined || state === '' || state === 'Z' || state === 'X' ? null : (rest[18] ?? null);
}
