// What a value loses on its way to an older target, in words; said once for a shard and kind.
import type { Loss } from '../../rdb/encode-goal.ts';

const SENTENCES: Readonly<Record<Loss, string>> = {
  'field-expiry': 'Hash fields of the source have expiries of their own',
  'consumer-activity': 'Consumers of streams have a time at which they were last active',
  'entries-read': "Streams keep counters (entries added, highest deleted id, a group's entries read)",
  idempotency: 'Streams keep what their producers have sent, against duplicates',
  'released-entries': 'Streams hold pending entries that no consumer owns',
};

/** @param target version or file. */
export function lossSentence(loss: Loss, target: string): string {
  return `${SENTENCES[loss]}: the target (${target}), or the command that makes them there, has no place for that, and it is left out.`;
}
