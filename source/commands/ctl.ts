// `redferry ctl`: one command to a run that is going on, for scripts. The run writes it into its audit log.
import { homedir } from 'node:os';
import type { Assignment, CtlCommand } from '../config/control-arguments.ts';
import { chooseRun } from '../control/choose-run.ts';
import { clientName } from '../control/client-name.ts';
import { COMMAND_TYPES } from '../control/command-schema.ts';
import { ControlLink } from '../control/control-link.ts';
import { runsFolder } from '../control/run-registry.ts';
import { CONFLICT_POLICIES, type CommandOutcome, type EngineCommand } from '../engine/contract.ts';
import { EXIT, FerryError } from '../engine/errors.ts';

/**
 * @returns 0 when the run accepted, 1 when it refused; its sentence goes to stdout or stderr.
 * @throws FerryError when there is no such run, it does not answer, or nothing of that name can be set.
 */
export async function ctl({ run, request, confirmed }: CtlCommand): Promise<number> {
  const command = request.type === 'set' ? commandFor(request) : request;
  const record = await chooseRun(runsFolder(process.env, homedir()), run);
  const { link } = await ControlLink.open(record.socket, {
    client: clientName('ctl'),
    onSnapshot: () => {},
    onClosed: () => {},
  });
  const outcome = await link.dispatch(command, confirmed).finally(() => link.close());
  const stream = outcome.accepted ? process.stdout : process.stderr;
  stream.write(`redferry: ${outcome.message}${hintFor(outcome)}\n`);
  return outcome.accepted ? EXIT.completed : EXIT.failed;
}

/** How a script confirms what it asks for. */
function hintFor({ needs }: CommandOutcome): string {
  if (needs === undefined || needs === 'none') return '';
  return needs === 'yes' ? ' Add --yes.' : ' Add --confirm with that name.';
}

/** The command that changes a setting of a running migration. @throws FerryError where the engine has none for it. */
export function commandFor({ name, value, shards }: Assignment): EngineCommand {
  if (name !== 'conflict') {
    throw new FerryError(
      `${name} can not be changed while a run is going on, but conflict can; ctl has ${COMMAND_TYPES.join(', ')}, for example redferry ctl pause --shard 2.`,
      { code: 'control' },
    );
  }
  const policy = CONFLICT_POLICIES.find((known) => known === value);
  if (policy === undefined)
    throw new FerryError(`conflict is one of ${CONFLICT_POLICIES.join(', ')}, not "${value}".`, { code: 'control' });
  return { type: 'setConflictPolicy', shards, policy };
}
