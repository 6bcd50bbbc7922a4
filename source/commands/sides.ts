// What stands behind the two addresses of a run: servers are asked, files are looked at, and what can not go together is
// told before anything is written.
import { STANDARD_STREAM, targetPathOf } from '../config/address.ts';
import { configError } from '../config/config-error.ts';
import { isFile, type Place } from '../config/place.ts';
import type { FileDestination } from '../engine/run/shard-job.ts';
import type { ServerSide } from '../preflight/context.ts';
import { type FileInput, openFileSource } from '../readers/file/file-source.ts';
import { discoverTopology } from '../topology/discover.ts';

export type AskedSource =
  | ({ readonly kind: 'server' } & ServerSide)
  | { readonly kind: 'file'; readonly inputs: readonly FileInput[]; readonly untilMs: number | null };

export type AskedTarget = ({ readonly kind: 'server' } & ServerSide) | FileDestination;

/** @throws FerryError when a server can not be asked or a file not be read, with one sentence. */
export async function askSides(
  source: Place,
  target: Place,
): Promise<{ readonly source: AskedSource; readonly target: AskedTarget }> {
  const [askedSource, askedTarget] = await Promise.all([askSource(source), askTarget(target)]);
  if (askedSource.kind === 'file' && askedTarget.kind === 'file') checkFormats(askedSource.inputs, askedTarget);
  return { source: askedSource, target: askedTarget };
}

async function askSource(place: Place): Promise<AskedSource> {
  if (isFile(place)) return { kind: 'file', inputs: await openFileSource(place), untilMs: place.untilMs };
  return { kind: 'server', endpoint: place, topology: await discoverTopology(place) };
}

async function askTarget(place: Place): Promise<AskedTarget> {
  if (isFile(place)) {
    const { format, overwrite, rdbVersion } = place;
    return { kind: 'file', format, path: targetPathOf(place), overwrite, rdbVersion };
  }
  return { kind: 'server', endpoint: place, topology: await discoverTopology(place) };
}

/** Commands have an effect on a server only: no file but an AOF can take them. */
function checkFormats(inputs: readonly FileInput[], target: { readonly format: string; readonly path: string }): void {
  if (inputs.some(({ format }) => format === 'aof') && target.format !== 'aof') {
    throw configError(
      `${target.format}:${target.path} can not take the commands of an AOF, which must be executed: sync the AOF to a server and that server to the file.`,
    );
  }
  const same = inputs.flatMap(({ files }) => files).find((file) => file !== STANDARD_STREAM && file === target.path);
  if (same !== undefined) throw configError(`${same} is source and target at once.`);
}
