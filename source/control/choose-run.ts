// Which of the runs of this user a command means.
import { thisProcess } from '../checkpoint/process-identity.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { isHere, livingRuns, type RunRecord } from './run-registry.ts';

/** The runs that are going on, oldest first. */
export async function runsGoingOn(folder: string): Promise<readonly RunRecord[]> {
  return livingRuns(folder, await thisProcess());
}

/**
 * The run of that name, or the only one.
 * @throws FerryError `no-run` (exit code 1) when there is none, or it is on another machine; `usage` when there are several.
 */
export async function chooseRun(folder: string, name: string | null): Promise<RunRecord> {
  const runs = await runsGoingOn(folder);
  const meant = name === null ? runs : runs.filter(({ run }) => run === name);
  const [first, second] = meant;
  if (first === undefined) throw noRun(name, runs);
  if (second !== undefined) {
    throw new FerryError(`There are ${meant.length} runs: ${namesOf(meant)}. Say which one.`, {
      code: 'usage',
      exitCode: EXIT.usage,
    });
  }
  if (!isHere(first, await thisProcess())) {
    throw new FerryError(
      `Run ${first.run} is on ${first.host}, another machine or container: only there it can be reached.`,
      { code: 'no-run' },
    );
  }
  return first;
}

function noRun(name: string | null, runs: readonly RunRecord[]): FerryError {
  const others = runs.length === 0 ? 'No run of this user is going on here' : `There are ${namesOf(runs)}`;
  const message = name === null ? `${others}.` : `There is no run ${name} going on. ${others}.`;
  return new FerryError(message, { code: 'no-run' });
}

function namesOf(runs: readonly RunRecord[]): string {
  return runs.map(({ run }) => run).join(', ');
}
