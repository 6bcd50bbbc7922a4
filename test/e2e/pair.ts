// Two real clusters and the arguments that copy the first into the second.
import type { RunningCluster } from '../../source/demo/local-servers.ts';
import { testCluster } from '../support/servers.ts';

export interface Place {
  readonly host: string;
  readonly port: number;
}

export interface RunningPair {
  readonly source: RunningCluster;
  readonly target: RunningCluster;
  readonly args: readonly string[];
}

/** Three masters on each side. */
export async function startPair(): Promise<RunningPair> {
  const [source, target] = await Promise.all([testCluster(), testCluster()]);
  return { source, target, args: fromTo(source.masters[0], target.masters[0]) };
}

/** `--source ... --target ...` */
export function fromTo(source: Place | undefined, target: Place | undefined): readonly string[] {
  return ['--source', addressOf(source), '--target', addressOf(target)];
}

export function addressOf(place: Place | undefined): string {
  if (place === undefined) throw new Error('there is no such server');
  return `redis://${place.host}:${place.port}`;
}
