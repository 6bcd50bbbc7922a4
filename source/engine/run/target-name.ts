// What a person types to confirm an act that can not be taken back: the name of the target, as the screen shows it.

/** The target's address without its scheme. */
export function targetName(address: string): string {
  return address.replace(/^[A-Za-z][\w+.-]*:\/\//, '');
}

/** Whether `typed` names the target; null is nothing typed. */
export function namesTarget(typed: string | null, address: string): boolean {
  return typed !== null && (typed.trim() === address || typed.trim() === targetName(address));
}
