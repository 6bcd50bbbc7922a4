// Remembers the last runs: when, from where, to where, how they ended. No secrets; only its owner can read the file.
// It lies in REDFERRY_STATE_DIR, else where conf keeps such files. Nothing here ever breaks a run.
import Conf from 'conf';
import { z } from 'zod';
import { describeAddress } from './address.ts';

const RUNS_KEPT = 20;
const OWNER_ONLY = 0o600;

const recentRun = z.object({
  run: z.string(),
  startedAtMs: z.number(),
  source: z.string(),
  target: z.string(),
  outcome: z.string(),
  exitCode: z.number(),
});
export type RecentRun = Readonly<z.infer<typeof recentRun>>;

/** Adds a run, its addresses without credentials; false when it could not be written. */
export function recordRun(run: RecentRun): boolean {
  try {
    const kept = { ...run, source: describeAddress(run.source), target: describeAddress(run.target) };
    const store = openStore();
    store.set('runs', [kept, ...readRuns(store)].slice(0, RUNS_KEPT));
    return true;
  } catch {
    return false;
  }
}

/** Newest first; empty when nothing can be read. */
export function recentRuns(): readonly RecentRun[] {
  try {
    return readRuns(openStore());
  } catch {
    return [];
  }
}

function openStore(): Conf<Record<string, unknown>> {
  const directory = process.env['REDFERRY_STATE_DIR'];
  return new Conf<Record<string, unknown>>({
    projectName: 'redferry',
    projectSuffix: '',
    configName: 'recent-runs',
    configFileMode: OWNER_ONLY,
    // A file somebody broke is replaced: it only remembers.
    clearInvalidConfig: true,
    ...(directory ? { cwd: directory } : {}),
  });
}

function readRuns(store: Conf<Record<string, unknown>>): readonly RecentRun[] {
  return z.array(recentRun).catch([]).parse(store.get('runs'));
}
