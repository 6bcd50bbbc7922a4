// When a target that owes replies is given up: no reset comes from a host that is gone, from a frozen machine, or over a
// link that a firewall has forgotten.
import { SilenceWatch } from '../protocol/silence-watch.ts';

/** A value of 512 MB is freed in less, and a busy script answers for its server after 5 s (busy-reply-threshold). */
const LONGEST_SILENCE_S = 20;

/** @param owes whether replies are outstanding. @param onSilent told once, with the seconds. */
export function watchReplies(owes: () => boolean, onSilent: (seconds: number) => void): SilenceWatch {
  return new SilenceWatch(() => (owes() ? LONGEST_SILENCE_S : null), onSilent);
}
