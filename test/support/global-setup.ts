// Bundles the engine's worker thread once for a test run. Node 24 strips types with a WebAssembly module, and V8 crashes
// now and then when threads that have run one come and go (seen on 24.21: UnregisterWasmAllocation, about one run in
// three hundred); the shipped program has no WebAssembly in its threads, and so neither have the tests.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** What the worker threads of the tests run. */
export const TEST_WORKER = new URL('../../.cache/test/shard-worker.mjs', import.meta.url);

export async function setup(): Promise<void> {
  await build({
    entryPoints: [fileURLToPath(new URL('../../source/engine/shard/shard-worker.ts', import.meta.url))],
    outfile: fileURLToPath(TEST_WORKER),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // CommonJS dependencies call require for Node's own modules, as in scripts/build.mjs.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    sourcemap: 'inline',
    logLevel: 'error',
  });
}
