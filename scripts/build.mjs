// Bundles redferry into dist/: redferry.js (everything the main thread runs), shard-worker.js (what the worker threads
// run), demo-writer.js (the demo's writing process) and cli.js, the small entry in front of them that also an old Node
// can parse. Files appear whole, by renaming.
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ensureDependencies, root } from './setup.mjs';

const dist = join(root, 'dist');
const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const oldestNode = Number(/\d+/.exec(engines.node)[0]);

// CommonJS dependencies inside the bundle call require for Node's own modules.
const REQUIRE_BANNER =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);";

// Ink imports react-devtools-core when DEV is true, which it never is here; the package is not installed.
const noDevtools = {
  name: 'no-devtools',
  setup(build) {
    build.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: 'no-devtools' }));
    build.onLoad({ filter: /.*/, namespace: 'no-devtools' }, () => ({ contents: 'export default {};' }));
  },
};

// V8 lets the space for young objects grow to 128 MB under load, which would be most of redferry's memory; what lives long
// is little, so collecting more often costs next to nothing (measured: 47 MB less, the same processor time). And it lets the
// space for old ones double before it collects, in each of three threads: six shards with the screen came to 225 to 260 MB, and
// with the second flag to 190, at 3 % more processor time.
// The compile cache stands in the person's own cache folder: Node's default is a folder in /tmp that others could prepare.
const ENTRY = `#!/usr/bin/env node
import * as nodeModule from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
if (Number(process.versions.node.split('.')[0]) < ${oldestNode}) {
  process.stderr.write('redferry needs Node ${oldestNode} or newer; this is ' + process.version + ' (' + process.execPath + ').\\n');
  process.exitCode = 2;
} else {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
  if (process.env.NODE_COMPILE_CACHE === undefined) {
    try {
      nodeModule.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'redferry', 'compile'));
    } catch {}
  }
  await import('./redferry.js');
}
`;

ensureDependencies();
// Only now: on a fresh clone esbuild is not there before the line above.
const { build } = await import('esbuild');
const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: {
    redferry: 'cli.tsx',
    'shard-worker': 'source/engine/shard/shard-worker.ts',
    'demo-writer': 'source/demo/demo-writer.ts',
  },
  outdir: dist,
  write: false,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: `node${oldestNode}`,
  jsx: 'automatic',
  minify: true,
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
  banner: { js: REQUIRE_BANNER },
  plugins: [noDevtools],
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has printed what is wrong

mkdirSync(dist, { recursive: true });
for (const file of outputFiles) place(basename(file.path), file.contents);
place('cli.js', ENTRY);

/** Puts a file into dist in one step, so that a redferry starting meanwhile never reads half of it. */
function place(name, contents) {
  const temporary = join(dist, `.${name}.${process.pid}`);
  writeFileSync(temporary, contents);
  chmodSync(temporary, name === 'cli.js' ? 0o755 : 0o644);
  renameSync(temporary, join(dist, name));
}
