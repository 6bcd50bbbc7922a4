// Brings a function library to every node of the target, once: each shard of a source cluster holds the same ones, and a
// node that has it already is left alone. Called behind a barrier.
import { messageOf } from '../engine/errors.ts';
import { openControl } from '../topology/control-connection.ts';
import { type Endpoint, formatAddress, type NodeAddress } from '../topology/endpoint.ts';
import type { BroadcastRefusal } from './target-broadcast.ts';

/** The first line of a library: `#!lua name=mylib` (functionExtractLibMetaData in functions.c of Redis 7.0). */
const SHEBANG = /^#!\S+[^\n]*?\bname=(\S+)/;

/**
 * FUNCTION LOAD REPLACE where the node does not hold just this code.
 * @returns the nodes that refused it. @throws FerryError when a node can not be reached.
 */
export async function loadLibrary(
  target: Endpoint,
  nodes: readonly NodeAddress[],
  code: Buffer,
): Promise<readonly BroadcastRefusal[]> {
  const name = SHEBANG.exec(code.toString('latin1', 0, code.indexOf('\n')))?.[1] ?? null;
  const refusals: BroadcastRefusal[] = [];
  for (const address of nodes) {
    const connection = await openControl(target, address, 'redferry:functions');
    try {
      const held = name === null ? null : await heldCode(connection, name);
      if (held?.equals(code)) continue;
      await connection.callBuffer('FUNCTION', 'LOAD', 'REPLACE', code);
    } catch (error) {
      refusals.push({ address: formatAddress(address), reply: messageOf(error) });
    } finally {
      connection.disconnect();
    }
  }
  return refusals;
}

/** The code of the library of that name; null when there is none, or when it must not be asked for. */
async function heldCode(connection: Awaited<ReturnType<typeof openControl>>, name: string): Promise<Buffer | null> {
  const reply: unknown = await connection
    .callBuffer('FUNCTION', 'LIST', 'LIBRARYNAME', name, 'WITHCODE')
    .catch(() => null);
  const library: unknown = Array.isArray(reply) ? reply[0] : null;
  if (!Array.isArray(library)) return null;
  const place = library.findIndex((item) => String(item) === 'library_code');
  const code: unknown = library[place + 1];
  return place >= 0 && Buffer.isBuffer(code) ? code : null;
}
