// The arguments of the commands that speak to a run which is going on: attach, status, ctl.
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import type { EngineCommand, ShardSelection } from '../engine/contract/command.ts';
import { CONFLICT_POLICIES } from '../engine/contract/conflict.ts';
import { parseRate } from '../engine/rate/rate-words.ts';
import { parseSize } from '../validation/sample-size.ts';
import { LANGUAGES, type Language } from './language.ts';

export interface AttachCommand {
  readonly name: 'attach';
  /** null for the only run that is going on. */
  readonly run: string | null;
  /** To watch only. */
  readonly readOnly: boolean;
  readonly language: Language | null;
}

export interface StatusCommand {
  readonly name: 'status';
  readonly run: string | null;
  readonly json: boolean;
  readonly language: Language | null;
}

export interface CtlCommand {
  readonly name: 'ctl';
  readonly run: string | null;
  readonly request: EngineCommand;
  readonly confirmed: 'no' | 'yes' | { readonly target: string };
}

export type ControlCommand = AttachCommand | StatusCommand | CtlCommand;

const ACTS = [
  'pause',
  'resume',
  'validate',
  'repair',
  'export',
  'retry',
  'restart',
  'skip',
  'remove-leftovers',
  'finish',
  'stop',
  'set',
] as const;
type Act = (typeof ACTS)[number];

interface RawOptions {
  readonly run?: string;
  readonly shard?: readonly number[];
  readonly all?: true;
  readonly readOnly?: true;
  readonly yes?: true;
  readonly confirm?: string;
  readonly json?: true;
  readonly lang?: Language;
}

/** Adds the three commands; `found` gets the one that was given. */
export function addControlCommands(program: Command, found: (command: ControlCommand) => void): void {
  program
    .command('attach')
    .description('the screen of a run that is going on; leaving it leaves the run alone')
    .argument('[run]', 'name of the run; without it the only one')
    .option('--read-only', 'to watch only: no key steers the run')
    .addOption(languageOption())
    .action((run: string | undefined, { lang, readOnly }: RawOptions) =>
      found({ name: 'attach', run: run ?? null, readOnly: readOnly ?? false, language: lang ?? null }),
    );
  program
    .command('status')
    .description('the state of a run that is going on, or which runs there are')
    .argument('[run]', 'name of the run; without it the only one')
    .option('--json', 'one JSON line')
    .addOption(languageOption())
    .action((run: string | undefined, { json, lang }: RawOptions) =>
      found({ name: 'status', run: run ?? null, json: json ?? false, language: lang ?? null }),
    );
  program
    .command('ctl')
    .description('one command to a run that is going on')
    .addArgument(new Argument('<act>', 'what to do').choices(ACTS))
    .argument(
      '[setting]',
      'for set: rate=20mb, conflict=ignore; for validate: how much, as validate --sample takes it, or full',
    )
    .option('--run <run>', 'name of the run; without it the only one')
    .option(
      '--shard <numbers>',
      'for pause, resume, remove-leftovers and set: these source shards, for example 2 or 0,2',
      parseShards,
    )
    .addOption(
      new Option('--all', 'for pause, resume, remove-leftovers and set: all shards, as without --shard').conflicts(
        'shard',
      ),
    )
    .option('--yes', 'confirms what needs a yes: the effect is known')
    .addOption(new Option('--confirm <target>', "confirms what needs the target's name").conflicts('yes'))
    .action((act: Act, setting: string | undefined, options: RawOptions) =>
      found({
        name: 'ctl',
        run: options.run ?? null,
        request: requestOf(act, setting, options),
        confirmed: options.confirm === undefined ? (options.yes ? 'yes' : 'no') : { target: options.confirm },
      }),
    );
}

/** @throws InvalidArgumentError with one sentence. */
export function parseShards(value: string): readonly number[] {
  if (!/^\d{1,6}(,\d{1,6})*$/.test(value)) throw new InvalidArgumentError('Write shard numbers with commas: 0,2.');
  return [...new Set(value.split(',').map(Number))];
}

function requestOf(act: Act, setting: string | undefined, { shard, all }: RawOptions): CtlCommand['request'] {
  // Not repeated: it may be a password at the wrong place.
  if (act !== 'set' && act !== 'validate' && setting !== undefined)
    throw new InvalidArgumentError(`ctl ${act} takes no argument`);
  const shards: ShardSelection = shard ?? 'all';
  if (act === 'pause' || act === 'resume') return { type: act, shards };
  if (act === 'remove-leftovers') return { type: 'removeLeftovers', shards };
  if (act === 'set') return assignment(setting ?? '', shards);
  if (act === 'retry' || act === 'restart' || act === 'skip') {
    const [id, another] = shard ?? [];
    if (id === undefined || another !== undefined) throw new InvalidArgumentError(`ctl ${act} needs one --shard`);
    return { type: `${act}Shard`, shard: id };
  }
  if (shard !== undefined || all !== undefined) throw new InvalidArgumentError(`ctl ${act} is for the whole run`);
  if (act === 'validate') {
    if (setting !== undefined) parseSize(setting);
    return { type: 'validate', size: setting ?? null };
  }
  if (act === 'repair') return { type: 'repair-differences', kind: 'differing', keys: null };
  if (act === 'export') return { type: 'export-validation' };
  return { type: act };
}

/** The command that changes a setting of a running migration. */
function assignment(text: string, shards: ShardSelection): EngineCommand {
  const [, name = '', value = ''] = /^([A-Za-z][\w.-]*)=(.*)$/s.exec(text) ?? [];
  switch (name) {
    case 'rate': {
      if (value === 'configured') return { type: 'setRate', shards, rate: null };
      const rate = parseRate(value);
      if (rate === null) throw new InvalidArgumentError('a rate is 20mb, 5000op, "20mb 5000op", off or configured');
      return { type: 'setRate', shards, rate };
    }
    case 'conflict': {
      const policy = CONFLICT_POLICIES.find((known) => known === value);
      if (policy === undefined) throw new InvalidArgumentError(`conflict is one of ${CONFLICT_POLICIES.join(', ')}`);
      return { type: 'setConflictPolicy', shards, policy };
    }
    default:
      throw new InvalidArgumentError('ctl set changes rate=... or conflict=... of a run');
  }
}

function languageOption(): Option {
  return new Option('--lang <language>', 'language of what is shown').choices([...LANGUAGES]);
}
