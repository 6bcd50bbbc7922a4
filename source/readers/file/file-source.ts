// From the address of a file source to the inputs that are read, each a shard of its own on the screen: every RDB file is
// one, an AOF with all its files is one. Looks at the files, so that a wrong name or kind is told before anything is
// written; only plain values leave, which a worker thread can be given.
import { existsSync, globSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type FileAddress, type FileFormat, hasPattern, STANDARD_STREAM } from '../../config/address.ts';
import { configError } from '../../config/config-error.ts';
import type { Dialect } from '../../rdb/format.ts';
import { parseManifest } from './aof-manifest.ts';
import { headProblem, readHead } from './file-head.ts';
import { beginInput, openError, openFile } from './open-input.ts';

/** What is read as one stream. */
export interface FileInput {
  /** For people; no two inputs have the same. */
  readonly name: string;
  readonly format: FileFormat;
  /** Read one after the other; `-` is standard input. */
  readonly files: readonly string[];
  /** Bytes of the files as they stand on disk; null when unknown (a pipe). */
  readonly totalBytes: number | null;
  readonly compressed: boolean;
  /** Version of the RDB that it begins with; null when it begins with none or cannot be looked at before it is read. */
  readonly rdb: { readonly version: number; readonly dialect: Dialect } | null;
}

/** No manifest of a server comes near it. */
const LARGEST_MANIFEST = 16 * 1024 * 1024;
/** As many names of a folder as a message shows. */
const NAMES_SHOWN = 8;

/** @throws FerryError `config` or `manifest` with one sentence. */
export async function openFileSource(address: FileAddress): Promise<readonly FileInput[]> {
  if (address.format === 'aof') return [await aofInput(address.paths[0] ?? '')];
  const paths = expand(address);
  const inputs = await Promise.all(paths.map((path) => singleInput(path, address.format)));
  const bases = new Map<string, number>();
  for (const { name } of inputs) bases.set(name, (bases.get(name) ?? 0) + 1);
  return inputs.map((input) => ((bases.get(input.name) ?? 0) > 1 ? { ...input, name: input.files[0] ?? '' } : input));
}

/** The files that patterns stand for, in the order of their names; each file once. */
function expand({ format, paths }: FileAddress): readonly string[] {
  const found = paths.flatMap((path) => {
    if (!hasPattern(path) || existsSync(path)) return [path];
    const matches = globSync(path, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    if (matches.length === 0) throw configError(`${format}:${path} matches no file.`);
    return matches;
  });
  return [...new Set(found)];
}

async function singleInput(path: string, format: FileFormat): Promise<FileInput> {
  const name = path === STANDARD_STREAM ? 'stdin' : basename(path);
  return { name, format, files: [path], ...(await look([path], format)) };
}

async function aofInput(path: string): Promise<FileInput> {
  if (path === STANDARD_STREAM) return singleInput(path, 'aof');
  const manifest = await manifestOf(path);
  if (manifest === null) return singleInput(path, 'aof');
  const files = await filesOf(manifest);
  const name = basename(manifest).replace(/\.manifest$/, '');
  return { name, format: 'aof', files, ...(await look(files, 'aof')) };
}

/** The manifest that an AOF address names or means; null when it names an AOF itself. */
async function manifestOf(path: string): Promise<string | null> {
  const stats = await statOf(path);
  if (stats.isDirectory()) return manifestIn(path);
  if (path.endsWith('.manifest')) return path;
  if (!stats.isFile()) return null;
  const input = await lookInto(path);
  return readHead(input.head).kind === 'manifest' ? path : null;
}

async function manifestIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).sort();
  // Half-written by a server that was killed: it is renamed when it is whole.
  const manifests = names.filter((name) => name.endsWith('.manifest') && !name.startsWith('temp-'));
  const [manifest, ...others] = manifests;
  if (manifest === undefined) {
    const shown = names.slice(0, NAMES_SHOWN).join(', ') + (names.length > NAMES_SHOWN ? ', ...' : '');
    throw configError(
      `There is no AOF manifest in ${folder} (${names.length === 0 ? 'it is empty' : `it holds ${shown}`}): name the folder that holds one, or a single AOF file.`,
    );
  }
  if (others.length > 0)
    throw configError(`${folder} holds several AOF manifests: name one of ${manifests.join(', ')}.`);
  return join(folder, manifest);
}

/** The files of a set, in the order they are read. */
async function filesOf(manifest: string): Promise<readonly string[]> {
  const { size } = await statOf(manifest);
  if (size > LARGEST_MANIFEST) throw configError(`${manifest} is no AOF manifest: it has ${size} bytes.`);
  const { base, incremental } = parseManifest(await readFile(manifest), manifest);
  const folder = dirname(manifest);
  if (base === null && incremental.length === 0)
    throw configError(`The AOF manifest ${manifest} names no file to read.`);
  const files = [...(base === null ? [] : [base]), ...incremental].map((name) => join(folder, name));
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length === 0) return files;
  // A server of 7.0 that was killed while it took over an older AOF has written the manifest but not moved the file yet
  // (aofUpgradePrepare in aof.c); it looks for it there itself.
  const notMoved = join(folder, '..', base ?? '');
  if (base !== null && incremental.length === 0 && existsSync(notMoved)) return [notMoved];
  throw configError(`The AOF manifest ${manifest} names what is not there: ${missing.join(', ')}.`);
}

type Seen = Pick<FileInput, 'totalBytes' | 'compressed' | 'rdb'>;

/** Opens each file once: that it can be read, how large it is, and what the first begins with. */
async function look(files: readonly string[], format: FileFormat): Promise<Seen> {
  const seen: Seen[] = [];
  for (const file of files) seen.push(await lookAt(file, format));
  const sizes = seen.map(({ totalBytes }) => totalBytes);
  return {
    totalBytes: sizes.reduce((sum, size) => (sum === null || size === null ? null : sum + size), 0),
    compressed: seen.some(({ compressed }) => compressed),
    rdb: seen[0]?.rdb ?? null,
  };
}

async function lookAt(file: string, format: FileFormat): Promise<Seen> {
  const unseen: Seen = { totalBytes: null, compressed: false, rdb: null };
  if (file === STANDARD_STREAM) return unseen;
  const stats = await statOf(file);
  if (stats.isDirectory())
    throw configError(`${file} is a folder: name the files in it, for example ${format}:${join(file, '*')}.`);
  // What a pipe gives can be read once only.
  if (!stats.isFile()) return unseen;
  const input = await lookInto(file);
  const head = readHead(input.head);
  const problem = headProblem(head, format, file);
  if (problem !== null) throw problem;
  const rdb = head.kind === 'rdb' ? { version: head.version, dialect: head.dialect } : null;
  return { totalBytes: input.fileBytes, compressed: input.compressed, rdb };
}

/** Opens a file, reads its head and closes it again. */
async function lookInto(file: string) {
  const input = await beginInput(await openFile(file), file);
  await input.close();
  return input;
}

async function statOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    throw openError(path, error);
  }
}
