// Ends a test run with one plain line that scripts can read: `12 passed, 0 failed`, and `, 1 skipped` when there are such.
// Before it stand the tests that passed at a second try only, where there is one (--retry).
// What fails outside a test (a file that does not load, a hook, an unhandled error) counts as one failure each.
import type { Reporter, TestModule } from 'vitest/node';

// biome-ignore lint/style/noDefaultExport: vitest takes a reporter from its file's default export
export default class CountReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const testModule of testModules) {
      for (const test of testModule.children.allTests()) counts[test.result().state] += 1;
      const around = [testModule, ...testModule.children.allSuites()];
      counts.failed += around.filter((suite) => suite.errors().length > 0).length;
    }
    // Pending is what an interrupted run did not get to.
    const skipped = counts.skipped + counts.pending;
    for (const name of flakyNames(testModules)) process.stdout.write(`passed at the second try only: ${name}\n`);
    process.stdout.write(
      `${counts.passed} passed, ${counts.failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
    );
  }
}

/** With --retry: tests that failed first. Each is a defect, in the product or in the test. */
function flakyNames(testModules: readonly TestModule[]): readonly string[] {
  return testModules.flatMap((testModule) =>
    [...testModule.children.allTests()]
      .filter((test) => test.diagnostic()?.flaky === true)
      .map((test) => `${testModule.relativeModuleId} > ${test.fullName}`),
  );
}
