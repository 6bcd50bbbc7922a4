// For whom a value is encoded anew, and what of it can get lost on the way.
import type { AcceptedVersions } from './payload-version.ts';

/** The highest versions, Redis's and Valkey's own (0: none), whose encodings may be used. */
export type EncodingGoal = AcceptedVersions;

/**
 * What a target cannot hold of a value that it otherwise takes.
 * field-expiry: the expiries of a hash's fields; consumer-activity: when a consumer last got something (since 7.2);
 * idempotency: IDs that producers gave to entries (8.6); released-entries: pending entries given back by their consumer
 * (8.8); entries-read: a stream's counters, from which a group's lag is computed (7.0).
 */
export type Loss = 'field-expiry' | 'consumer-activity' | 'idempotency' | 'released-entries' | 'entries-read';
