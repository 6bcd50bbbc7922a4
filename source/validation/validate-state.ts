// Where a full comparison stands, on disk: written to a file beside it and renamed, so that a process that dies leaves the
// last whole one. Names of keys stand in it, hence only its owner may read it.
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { EXIT, FerryError, messageOf } from '../engine/errors.ts';
import type { Aspect, Difference } from './report.ts';
import { list, type Side, text } from './side.ts';
import type { Tally } from './tally.ts';

const VERSION = 1;

export interface ValidateState {
  readonly version: number;
  /** Which servers, since when they run, and how they are compared: a cursor means nothing to others. */
  readonly setup: string;
  readonly places: readonly SavedPlace[];
  readonly tallies: readonly Tally[];
  readonly suspects: readonly SavedKey[];
  readonly differences: readonly SavedDifference[];
  /** Seconds that were spent before. */
  readonly seconds: number;
  /** Length of the exported differences that belong to it. */
  readonly exportedBytes: number;
}

export interface SavedPlace {
  readonly side: 'source' | 'target';
  readonly node: number;
  readonly address: string;
  readonly database: number;
  readonly keys: number;
  readonly cursor: string | null;
  readonly looked: number;
}

/** The key as base64. */
export interface SavedKey {
  readonly database: number;
  readonly key: string;
  readonly stratum: number;
}

export interface SavedDifference extends SavedKey {
  readonly type: string;
  readonly aspects: readonly Aspect[];
  readonly detail: string;
}

export function saveDifference(difference: Difference, stratum: number): SavedDifference {
  const { database, key, type, aspects, detail } = difference;
  return { database, key: key.toString('base64'), stratum, type, aspects, detail };
}

/** null when there is no such file. @throws FerryError when it is not ours, or belongs to another comparison. */
export function loadState(file: string, setup: string): ValidateState | null {
  let written: string;
  try {
    written = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw unusable(file, messageOf(error));
  }
  const state = parse(file, written);
  if (state.setup !== setup) {
    throw unusable(file, 'it belongs to other servers or another comparison, or a server was restarted since');
  }
  return state;
}

export function storeState(file: string, state: ValidateState): void {
  const fresh = `${file}.new`;
  writeFileSync(fresh, JSON.stringify(state), { mode: 0o600 });
  renameSync(fresh, file);
}

export function removeState(file: string): void {
  rmSync(file, { force: true });
}

/** What must be the same for a cursor to mean the same. */
export async function setupOf(source: Side, target: Side, more: string): Promise<string> {
  const runs: string[] = [];
  for (const node of [...source.nodes, ...target.nodes]) {
    const server = text(await node.call(['INFO', 'server']));
    runs.push(`${node.address}=${/^run_id:(\S+)/m.exec(server)?.[1] ?? 'unknown'}`);
  }
  const slots = source.cluster ? list((await source.nodes[0]?.call(['CLUSTER', 'SLOTS'])) ?? null).length : 0;
  return `${runs.join(' ')} slots=${slots} ${more}`;
}

function parse(file: string, written: string): ValidateState {
  let state: unknown;
  try {
    state = JSON.parse(written);
  } catch {
    throw unusable(file, 'it is no JSON');
  }
  if (typeof state !== 'object' || state === null || !('version' in state) || state.version !== VERSION) {
    throw unusable(file, 'it is not the state of a comparison by this version of redferry');
  }
  return state as ValidateState;
}

function unusable(file: string, why: string): FerryError {
  return new FerryError(`${file} can not be gone on with: ${why}. Remove it to begin anew.`, {
    code: 'config',
    exitCode: EXIT.usage,
  });
}
