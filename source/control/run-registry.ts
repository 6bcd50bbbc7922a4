// Which runs are going on for this user: a folder with a record and a socket for each. Not in XDG_RUNTIME_DIR, which the
// system removes when the user's last session ends (pam_systemd(8)): a run has to be found after the session died.
import { readdir, readFile, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { makePrivateFolder, writeDurably } from '../checkpoint/durable-file.ts';
import type { ProcessIdentity } from '../checkpoint/process-identity.ts';
import { stateRoot } from '../checkpoint/state-directory.ts';
import { FerryError, messageOf } from '../engine/errors.ts';

const runRecord = z.object({
  v: z.literal(1),
  run: z.string(),
  release: z.string(),
  /** Of the run's machine. */
  host: z.string(),
  /** Within which `pid` and the socket mean something: this boot and this container. */
  place: z.string(),
  pid: z.int(),
  startedAtMs: z.number(),
  socket: z.string(),
  source: z.string(),
  target: z.string(),
  logFile: z.string().nullable(),
});
/** What is known of a run without asking it. */
export type RunRecord = Readonly<z.infer<typeof runRecord>>;

const RECORD = '.json';
const SOCKET = '.sock';

/** sun_path with its closing 0: 108 bytes on Linux (unix(7)), 104 on macOS. */
const LONGEST_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

/** Where records and sockets of runs lie: `run` in the folder for state. */
export function runsFolder(environment: Readonly<Record<string, string | undefined>>, home: string): string {
  return join(stateRoot(environment, home), 'run');
}

/**
 * Makes the folder of runs and gives the path of a run's socket, which lies in a short private folder where the path
 * would be longer than the system allows.
 * @throws FerryError `control` when a folder can not be made or belongs to somebody else.
 */
export async function placeForSocket(folder: string, run: string): Promise<string> {
  await makeFolder(folder);
  const path = join(folder, `${run}${SOCKET}`);
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH) return path;
  const short = join('/tmp', `redferry-${process.getuid?.() ?? 'user'}`);
  await makeFolder(short);
  return join(short, `${run}${SOCKET}`);
}

async function makeFolder(path: string): Promise<void> {
  try {
    await makePrivateFolder(path);
  } catch (thrown) {
    throw new FerryError(
      `The folder ${path} for the sockets of runs can not be used (${messageOf(thrown)}): set REDFERRY_STATE_DIR to another one.`,
      { code: 'control', cause: thrown },
    );
  }
}

/** Makes a run known; its socket must listen already. */
export async function addRun(folder: string, record: RunRecord): Promise<void> {
  await writeDurably(join(folder, `${record.run}${RECORD}`), `${JSON.stringify(record)}\n`);
}

/** Forgets a run; nothing happens when it is not known. */
export async function removeRun(folder: string, { run, socket }: Pick<RunRecord, 'run' | 'socket'>): Promise<void> {
  await unlink(join(folder, `${run}${RECORD}`)).catch(() => {});
  await unlink(socket).catch(() => {});
}

/** Whether a run can be reached from this process, or is certainly no more when it can not. */
export function isHere(record: Pick<RunRecord, 'host' | 'place'>, own: ProcessIdentity): boolean {
  // The same host in another place is this machine before its last start.
  return record.place === own.place || record.host === own.host;
}

/**
 * The runs that are going on, oldest first. What killed runs left is removed; runs of another machine or container that
 * shares the folder are listed, since nothing can be known about them from here.
 */
export async function livingRuns(folder: string, own: ProcessIdentity): Promise<readonly RunRecord[]> {
  const records = await readRecords(folder);
  const living = await Promise.all(
    records.map(async (record) => {
      if (!isHere(record, own) || (await isListening(record.socket))) return record;
      await removeRun(folder, record);
      return null;
    }),
  );
  return living.filter((record) => record !== null).sort((one, other) => one.startedAtMs - other.startedAtMs);
}

async function readRecords(folder: string): Promise<readonly RunRecord[]> {
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    names.filter((name) => name.endsWith(RECORD)).map((name) => readFile(join(folder, name), 'utf8').catch(() => '')),
  );
  return texts.flatMap((text) => {
    const parsed = runRecord.safeParse(jsonOrNull(text));
    return parsed.success ? [parsed.data] : [];
  });
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Whether somebody listens there: a killed process leaves its socket's file, but nobody takes the connection. */
export function isListening(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      // Anything else (EAGAIN: too many wait to be let in) is no proof that nobody is there.
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTSOCK');
    });
  });
}
