// Unpacks other Redis and Valkey versions from Debian's other suites into .cache/servers (or REDFERRY_CACHE), without
// installing anything, so that the tests can run against them: REDIS_SERVER=<path> npm test.
// Prints the path of each server on stdout, one a line; what is there already is not fetched again.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { findMirrors, openSuite } from './apt-suite.mjs';
import { fail, root, say } from './setup.mjs';

const SERVERS = [
  { label: 'redis-6.0', suite: 'bullseye', package: 'redis-server', version: /v=6\.0\.\d+/ },
  { label: 'redis-8.0', suite: 'trixie', package: 'redis-server', version: /v=8\.0\.\d+/ },
  { label: 'valkey-8.1', suite: 'trixie', package: 'valkey-server', version: /v=8\.1\.\d+/ },
  { label: 'valkey-9', suite: 'sid', package: 'valkey-server', version: /v=9\.\d+\.\d+/ },
];
/** Of all that the packages depend on, what a server process loads; the rest is for installing (adduser, perl, ...). */
const NEEDED_PACKAGES = /^(lib|lua-|zlib|openssl|redis|valkey)/;

const cache = process.env.REDFERRY_CACHE ?? join(root, '.cache/servers');

/** Where a fetched server's start script stands. */
function scriptOf(server) {
  return join(cache, server.label, server.package);
}

/** What the server says of its version, or null when it does not run. */
function versionOf(server) {
  const result = spawnSync(scriptOf(server), ['--version'], { encoding: 'utf8' });
  return result.status === 0 ? (server.version.exec(result.stdout)?.[0] ?? null) : null;
}

/** Fetches and unpacks the servers that come from one suite. */
async function fetchFrom(suite, servers, mirrors) {
  const workFolder = join(cache, `.fetch-${suite}-${process.pid}`);
  try {
    const apt = await openSuite(suite, mirrors, workFolder);
    for (const server of servers) {
      const unpacked = join(workFolder, server.label);
      const debs = await apt.download(server.package, (name) => NEEDED_PACKAGES.test(name), join(workFolder, 'debs'));
      for (const deb of debs) unpack(deb, join(unpacked, 'root'));
      writeFileSync(join(unpacked, server.package), startScript(unpacked, server));
      chmodSync(join(unpacked, server.package), 0o755);
      rmSync(join(cache, server.label), { recursive: true, force: true });
      renameIntoPlace(unpacked, join(cache, server.label));
      const version = versionOf(server);
      if (version === null)
        throw new Error(`${server.package} of ${suite} does not run or is not the version ${server.label} wants.`);
      say(`${server.label}: ${version.slice(2)} from ${suite} at ${apt.mirror}`);
    }
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}

function unpack(deb, folder) {
  mkdirSync(folder, { recursive: true });
  const result = spawnSync('dpkg-deb', ['-x', deb, folder], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`dpkg-deb could not unpack ${basename(deb)}: ${result.stderr.trim()}`);
}

/** A second fetch at the same time may have been faster: then its result stands, and is as good. */
function renameIntoPlace(from, to) {
  try {
    renameSync(from, to);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  }
}

/** The shell script that runs the binary with its own suite's loader and libraries; exec keeps the process id. */
function startScript(folder, server) {
  const rootFolder = join(folder, 'root');
  const libraries = libraryFolders(rootFolder);
  const loader = libraries.flatMap((path) => loadersIn(path)).at(0);
  if (loader === undefined) throw new Error(`no dynamic loader among the packages of ${server.suite}.`);
  const inScript = (path) => `$here/${relative(folder, path)}`;
  return `#!/bin/sh
# Written by scripts/fetch-servers.mjs: runs this suite's server with this suite's own loader and libraries.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
exec "${inScript(loader)}" --library-path "${libraries.map(inScript).join(':')}" "${inScript(join(rootFolder, 'usr/bin', server.package))}" "$@"
`;
}

/** lib/<architecture>, usr/lib/<architecture> and the private folder in which sid keeps libsystemd's other half. */
function libraryFolders(rootFolder) {
  return ['lib', 'usr/lib']
    .map((path) => join(rootFolder, path))
    .filter((path) => existsSync(path))
    .flatMap((path) =>
      readdirSync(path)
        .filter((name) => name.endsWith('-linux-gnu'))
        .map((name) => join(path, name)),
    )
    .flatMap((path) => [path, join(path, 'systemd')])
    .filter((path) => existsSync(path));
}

/** The loader under its own name: bullseye's are links to one another, of which some are absolute and lead astray. */
function loadersIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => /^ld-.*\.so(\.\d+)?$/.test(entry.name))
    .filter((entry) => !entry.isSymbolicLink() || !readlinkSync(join(folder, entry.name)).startsWith('/'))
    .map((entry) => join(folder, entry.name));
}

const missing = SERVERS.filter((server) => versionOf(server) === null);
if (missing.length > 0) {
  const mirrors = findMirrors();
  mkdirSync(cache, { recursive: true });
  const suites = [...new Set(missing.map((server) => server.suite))];
  const fetches = suites.map((suite) =>
    fetchFrom(
      suite,
      missing.filter((server) => server.suite === suite),
      mirrors,
    ),
  );
  const failures = (await Promise.allSettled(fetches)).filter((outcome) => outcome.status === 'rejected');
  for (const failure of failures) say(`cannot fetch: ${failure.reason.message}`);
  if (failures.length > 0) fail(`${failures.length} of ${suites.length} suites could not be fetched, see above.`);
}
for (const server of SERVERS) process.stdout.write(`${scriptOf(server)}\n`);
