// Makes a connection one that an import comes over: to it, keys whose time has come are still there, and its writes may
// carry such times (Valkey 8.1 and newer, while the server is in import-mode).
import { FerryError } from '../engine/errors.ts';
import type { Connection } from '../protocol/connection.ts';

/** What the server says where import-mode is off: a node that was promoted or restarted meanwhile. */
const NOT_IN_IMPORT_MODE = /not in import mode/i;

/** Nothing else may be under way on the connection. @throws FerryError `import-mode` when the node does not let us. */
export async function becomeImportSource(connection: Connection): Promise<void> {
  let reply = await ask(connection);
  if (NOT_IN_IMPORT_MODE.test(reply)) {
    await connection.request(['CONFIG', 'SET', 'import-mode', 'yes']);
    reply = await ask(connection);
  }
  if (!reply.startsWith('-')) return;
  throw new FerryError(
    `${connection.address} does not take an import as the target's other nodes do (${reply.slice(1)}): grant +client|import-source and +config|set there.`,
    { code: 'import-mode', retriable: true },
  );
}

function ask(connection: Connection): Promise<string> {
  return connection.request(['CLIENT', 'IMPORT-SOURCE', 'ON']);
}
