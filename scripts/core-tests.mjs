// The engine's tests whose outcome depends on what the server's version does: what its commands, replies, snapshots and
// replication look like. `npm test -- --core` runs these alone, as .ci/run does with every other server; all tests run with
// the machine's own. Not here: tests that bring servers of
// other versions themselves (versions, field-expiries, import-mode), and expiries, which asks in the words of 7.0 and is about
// what a target without import-mode holds.
export const CORE_TESTS = [
  'test/engine/big-values.test.ts',
  'test/engine/conflict-policies.test.ts',
  'test/engine/exactly-once.test.ts',
  'test/engine/permissions.test.ts',
  'test/engine/restart.test.ts',
  'test/engine/scan-changes.test.ts',
  'test/engine/scan.test.ts',
  'test/engine/source-resharding.test.ts',
  'test/engine/sync-matrix.test.ts',
  'test/engine/troubles.test.ts',
];
