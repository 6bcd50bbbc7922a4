// Small files that are there as a whole or not at all, and stay after a loss of power: written beside their name, synced,
// renamed over it, and the folder synced as well, since the name is in it. Readable for their owner only.
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY_FILE = 0o600;
const UNFINISHED = '.unfinished';

/**
 * Makes a folder that nobody else can look into, with those above it.
 * @throws the system's error; an Error when the name belongs to something else, or to somebody else.
 */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: OWNER_ONLY_FOLDER });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Error('it is not a folder');
  const user = process.getuid?.();
  if (user !== undefined && found.uid !== user) throw new Error(`it belongs to user ${found.uid}`);
  const folder = await open(path, 'r');
  try {
    if ((found.mode & 0o777) !== OWNER_ONLY_FOLDER) await folder.chmod(OWNER_ONLY_FOLDER);
  } finally {
    await folder.close();
  }
}

/** Removes what a killed process left of the file at `path`; nobody else may be writing it. */
export async function removeUnfinished(path: string): Promise<void> {
  const folder = dirname(path);
  for (const name of await readdir(folder)) {
    if (name.startsWith(`${basename(path)}.`) && name.endsWith(UNFINISHED)) {
      await unlink(join(folder, name)).catch(() => {});
    }
  }
}

/** Replaces the file; when it resolves, the text outlives a loss of power. @throws the system's error, the file unchanged. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${process.pid}-${randomBytes(4).toString('hex')}${UNFINISHED}`;
  try {
    // wx: fails when the name exists, also as a symbolic link that somebody else put there.
    const file = await open(unfinished, 'wx', OWNER_ONLY_FILE);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, path);
  } catch (thrown) {
    await unlink(unfinished).catch(() => {});
    throw thrown;
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
