// Where the state of runs lies on this machine: a folder for each migration.
import { join } from 'node:path';
import { FerryError, messageOf } from '../engine/errors.ts';
import { makePrivateFolder } from './durable-file.ts';

/**
 * The folder for all migrations: REDFERRY_STATE_DIR, else XDG_STATE_HOME/redferry, else ~/.local/state/redferry.
 * A relative XDG_STATE_HOME is passed over, as the XDG Base Directory Specification demands.
 */
export function stateRoot(environment: Readonly<Record<string, string | undefined>>, home: string): string {
  const own = environment['REDFERRY_STATE_DIR'];
  if (own) return own;
  const xdg = environment['XDG_STATE_HOME'];
  return join(xdg?.startsWith('/') ? xdg : join(home, '.local', 'state'), 'redferry');
}

/**
 * The folder of one migration, made where it is not there yet, for its owner only.
 * @throws FerryError `state` when it can not be made or is not ours.
 */
export async function openMigrationFolder(root: string, migration: string): Promise<string> {
  if (!/^[0-9A-Za-z_-][0-9A-Za-z._-]{0,99}$/.test(migration)) {
    throw new FerryError(`"${migration}" can not name a folder: letters, digits, ".", "_" and "-" can.`, {
      code: 'state',
    });
  }
  const folder = join(root, migration);
  try {
    await makePrivateFolder(folder);
  } catch (thrown) {
    throw new FerryError(
      `The folder ${folder} for the state of this run can not be used (${messageOf(thrown)}): set REDFERRY_STATE_DIR to another one.`,
      { code: 'state', cause: thrown },
    );
  }
  return folder;
}
