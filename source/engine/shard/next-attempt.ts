// What a shard says while it waits to try again: when first, since a narrow panel shows no more of it, then why.

/** @param reason whole sentences. @returns one sentence for `waitingFor`. */
export function nextAttempt(delayMs: number, reason: string): string {
  return `next attempt in ${Math.max(1, Math.round(delayMs / 1000))} s: ${reason}`;
}
