// Downloads packages of another Debian suite than the machine's own, through apt itself in a private state folder: so the
// machine's mirror, proxy and keys are used, signatures and hashes are verified by apt, and nothing gets installed.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SOURCES_FILE = '/etc/apt/sources.list';
const SOURCES_FOLDER = '/etc/apt/sources.list.d';
const RELEASE_NAMES = ['stable', 'oldstable', 'testing', 'unstable', 'sid', 'bullseye', 'bookworm', 'trixie', 'forky'];

/**
 * The Debian mirrors that this machine's apt is configured with, the likeliest first.
 * @returns {{uri: string, signedBy: string | undefined}[]}
 */
export function findMirrors() {
  const files = existsSync(SOURCES_FOLDER) ? readdirSync(SOURCES_FOLDER).map((name) => join(SOURCES_FOLDER, name)) : [];
  const sources = [SOURCES_FILE, ...files]
    .filter((file) => existsSync(file))
    .flatMap((file) => {
      if (file.endsWith('.sources')) return parseStanzas(readFileSync(file, 'utf8'));
      return file.endsWith('.list') ? parseLines(readFileSync(file, 'utf8')) : [];
    });
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const mirrors = sources
    .filter(
      ({ suites, components }) =>
        components.includes('main') && suites.some((suite) => suite === codename || RELEASE_NAMES.includes(suite)),
    )
    .flatMap(({ uris, signedBy }) => uris.map((uri) => ({ uri: uri.replace(/\/+$/, ''), signedBy })));
  // Third parties publish under Debian's suite names too; Debian's own archive is called debian on nearly every mirror.
  return mirrors.sort((a, b) => Number(b.uri.endsWith('/debian')) - Number(a.uri.endsWith('/debian')));
}

/** One-line format: deb [option=value ...] uri suite component... */
function parseLines(text) {
  return [...text.matchAll(/^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)$/gm)].map(
    ([, options, uri, suite, components]) => ({
      uris: [uri],
      suites: [suite],
      components: components.replace(/#.*/, '').trim().split(/\s+/),
      signedBy: /signed-by=(\S+)/.exec(options ?? '')?.[1],
    }),
  );
}

/** deb822 format: stanzas of `Field: values`, where a continuation line begins with a space. */
function parseStanzas(text) {
  const withoutComments = text.replace(/^#.*\n?/gm, '');
  return withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const field = (name) => new RegExp(`^${name}:\\s*(.*(?:\\n[ \\t].*)*)`, 'im').exec(stanza)?.[1]?.trim();
    const words = (name) => (field(name) ?? '').split(/\s+/).filter((word) => word !== '');
    if (!words('Types').includes('deb') || /^no$/i.test(field('Enabled') ?? 'yes')) return [];
    const key = field('Signed-By');
    // A key written into the stanza itself cannot be named in a list line; apt's trusted keys remain.
    const signedBy = key?.startsWith('/') ? key : undefined;
    return [{ uris: words('URIs'), suites: words('Suites'), components: words('Components'), signedBy }];
  });
}

/**
 * Reads a suite's package list from the first mirror that has it.
 * `download(package, wanted, folder)` fetches the package and all it depends on, as far as `wanted(name)` says so, and
 * gives the .deb files. Throws with one line when no mirror has the suite or a package.
 */
export async function openSuite(suite, mirrors, folder) {
  if (mirrors.length === 0)
    throw new Error(`${suite}: apt's configuration names no Debian mirror, so there is nothing to fetch from.`);
  const reasons = [];
  for (const { uri, signedBy } of mirrors.flatMap(withArchive)) {
    const settings = privateSettings(folder, suite, uri, signedBy);
    try {
      await run('apt-get', [...settings, '-qq', 'update']);
      return { mirror: uri, download: (name, wanted, into) => download(settings, suite, name, wanted, into) };
    } catch (error) {
      reasons.push(`${uri}: ${firstComplaint(error)}`);
    }
  }
  throw new Error(`${suite} is on none of the configured mirrors (${reasons.join('; ')})`);
}

/** A suite past its life leaves the mirror for the archive, which the same host may carry beside it. */
function withArchive(mirror) {
  const archived = ['debian-archive', 'debian-archive/debian'].map((name) => mirror.uri.replace(/debian$/, name));
  return [mirror, ...archived.filter((uri) => uri !== mirror.uri).map((uri) => ({ ...mirror, uri }))];
}

/** apt's options for a state of its own, in which nothing is installed. */
function privateSettings(folder, suite, uri, signedBy) {
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'empty'])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(
    join(folder, 'sources.list'),
    `deb ${signedBy === undefined ? '' : `[signed-by=${signedBy}] `}${uri} ${suite} main\n`,
  );
  writeFileSync(join(folder, 'status'), '');
  const settings = {
    'Dir::State': join(folder, 'state'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': join(folder, 'empty'),
    // Pins are about what may be installed on this machine.
    'Dir::Etc::preferences': join(folder, 'no-preferences'),
    'Dir::Etc::preferencesparts': join(folder, 'empty'),
    // As root apt drops its rights for downloading, to a user that may not write here.
    'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  return Object.entries(settings)
    .filter(([, value]) => value !== '')
    .flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

async function download(settings, suite, name, wanted, folder) {
  try {
    const { stdout } = await run('apt-get', [
      ...settings,
      '-qq',
      '-y',
      '--no-install-recommends',
      '--print-uris',
      'install',
      name,
    ]);
    // 'uri' name_version_architecture.deb size hash
    const files = [...stdout.matchAll(/^'[^']*' (\S+)_\S+_\S+\.deb /gm)].map(([, packageName]) => packageName);
    const packages = files.filter((packageName) => wanted(packageName));
    const target = join(folder, name);
    mkdirSync(target, { recursive: true });
    await run('apt-get', [...settings, '-qq', 'download', ...packages], { cwd: target });
    return readdirSync(target).map((file) => join(target, file));
  } catch (error) {
    throw new Error(`${name} of ${suite}: ${firstComplaint(error)}`);
  }
}

/** apt's own first error line. */
function firstComplaint(error) {
  return /^E: (.*)$/m.exec(error.stderr ?? '')?.[1] ?? error.message.split('\n')[0];
}
