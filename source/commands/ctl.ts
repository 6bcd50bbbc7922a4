// `redferry ctl`: one command to a run that is going on, for scripts. The run writes it into its audit log.
import { homedir } from 'node:os';
import type { CtlCommand } from '../config/control-arguments.ts';
import { chooseRun } from '../control/choose-run.ts';
import { clientName } from '../control/client-name.ts';
import { ControlLink } from '../control/control-link.ts';
import { runsFolder } from '../control/run-registry.ts';
import type { CommandOutcome } from '../engine/contract/command.ts';
import { EXIT } from '../engine/errors.ts';

/**
 * @returns 0 when the run accepted, 1 when it refused; its sentence goes to stdout or stderr.
 * @throws FerryError when there is no such run or it does not answer.
 */
export async function ctl({ run, request, confirmed }: CtlCommand): Promise<number> {
  const record = await chooseRun(runsFolder(process.env, homedir()), run);
  const { link } = await ControlLink.open(record.socket, {
    client: clientName('ctl'),
    onSnapshot: () => {},
    onClosed: () => {},
  });
  const outcome = await link.dispatch(request, confirmed).finally(() => link.close());
  const stream = outcome.accepted ? process.stdout : process.stderr;
  stream.write(`redferry: ${outcome.message}${hintFor(outcome)}\n`);
  return outcome.accepted ? EXIT.completed : EXIT.failed;
}

/** How a script confirms what it asks for. */
function hintFor({ needs }: CommandOutcome): string {
  if (needs === undefined || needs === 'none') return '';
  return needs === 'yes' ? ' Add --yes.' : ' Add --confirm with that name.';
}
