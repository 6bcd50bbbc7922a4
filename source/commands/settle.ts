// `redferry settle`: after a run that was killed and is not to go on, gives a target back what that has left: expiries that
// are held, and import-mode. A run that ends does it itself.

import { configError } from '../config/config-error.ts';
import type { SettleCommand } from '../config/parsed-command.ts';
import { isFile, toPlace } from '../config/place.ts';
import { settingsFrom } from '../config/settings-from.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { HeldExpiries } from '../engine/expiry/expiry-care.ts';
import { hasImportMode, ImportMode } from '../engine/expiry/import-mode.ts';
import { runsAt } from '../engine/run/runs-at-target.ts';
import { openControl } from '../topology/control-connection.ts';
import { discoverTopology } from '../topology/discover.ts';
import { type Endpoint, formatAddress } from '../topology/endpoint.ts';
import type { Topology } from '../topology/topology.ts';

/** How its connections are called on the target. */
const NAME = 'settle';

/** @returns 0, or 1 when something remains. @throws FerryError when the target can not be asked, or a run writes to it. */
export async function settle(command: SettleCommand): Promise<number> {
  const { settings, warnings } = settingsFrom(command, ['target']);
  for (const warning of warnings) process.stderr.write(`redferry: ${warning}\n`);
  const target = toPlace(settings.target);
  if (isFile(target)) throw configError('The target is a file, in which expiries are as they are.');
  const topology = await discoverTopology(target);
  await refuseWhileARunWrites(target, topology);
  let said = 0;
  const tell = (_: string, message: string): void => {
    said++;
    process.stdout.write(`${message}\n`);
  };
  const held = new HeldExpiries(NAME, target, [], { keys: true, leases: [] });
  const mode = hasImportMode(topology.version) ? new ImportMode(NAME, target, held) : null;
  await mode?.takeOver(topology, tell);
  const left = await (mode ?? held).release(() => false, tell);
  if (left !== null) {
    process.stderr.write(`redferry: ${left}\n`);
    return EXIT.failed;
  }
  if (said === 0) process.stdout.write('Nothing is held on the target.\n');
  return EXIT.completed;
}

async function refuseWhileARunWrites(target: Endpoint, topology: Topology): Promise<void> {
  for (const { address } of topology.shards) {
    const node = await openControl(target, address, `redferry:${NAME}`);
    try {
      const [run] = await runsAt(node, NAME);
      if (run === undefined) continue;
      throw new FerryError(
        `Run ${run} writes to ${formatAddress(address)}: it settles what it holds when it ends; before that, keys that are renewed on the source could be lost.`,
        { code: 'busy' },
      );
    } finally {
      node.disconnect();
    }
  }
}
