// Who leads the slots of a test's cluster at the moment, after failovers too.
import { client } from './client.ts';
import type { Place } from './migration.ts';

/** The masters of a cluster as one of its nodes sees them. */
export async function mastersNow(node: Place): Promise<Place[]> {
  const lines = String(await client(node).call('CLUSTER', 'NODES'))
    .trim()
    .split('\n');
  return lines
    .filter((line) => / (?:myself,)?master /.test(line) && !/fail/.test(line))
    .map((line) => /^\S+ ([^:]+):(\d+)/.exec(line))
    .map((match) => ({ host: match?.[1] ?? '', port: Number(match?.[2]) }));
}
