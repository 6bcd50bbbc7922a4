// How a source is read: by replication, or by SCAN.

/** The readers by their names in the settings. */
export const READERS = ['sync', 'scan'] as const;
export type Reader = (typeof READERS)[number];
