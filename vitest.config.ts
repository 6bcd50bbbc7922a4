import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // Three at a time, also on two cores: the tests start real servers, and wait for them most of the time.
    maxWorkers: 3,
    // A machine with more to do than it has cores for is slow, not wrong.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    env: { CI: 'false' },
    reporters: ['default', './test/support/count-reporter.ts'],
  },
});
