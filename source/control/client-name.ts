// How a program of ours calls itself in the audit log of the run it speaks to.
import { userInfo } from 'node:os';

/** `ctl (process 4711, alice)`; on a shared account the process number leads to the session. */
export function clientName(command: string): string {
  return `${command} (process ${process.pid}${userName()})`.slice(0, 100);
}

function userName(): string {
  try {
    return `, ${userInfo().username}`;
  } catch {
    // A user number without a name, as in many containers.
    return '';
  }
}
