// The command line: which command, its own options, and what its options say about the settings. Messages never repeat
// a secret. Help and version are printed here, since the parser makes them.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { CONFLICT_POLICIES } from '../engine/contract/conflict.ts';
import { parseSize } from '../validation/sample-size.ts';
import { passwordIn } from './address.ts';
import {
  DEMO,
  demoCommand,
  overridesOf,
  passwordsOf,
  type RawOptions,
  syncCommand,
  usageError,
  validateCommand,
} from './command-options.ts';
import { addControlCommands, parseShards } from './control-arguments.ts';
import { LANGUAGES } from './language.ts';
import { nearest } from './nearest.ts';
import type { ParsedCommand } from './parsed-command.ts';
import { READERS } from './reader.ts';

const MOST_VALIDATE_RATE = 10_000_000;
const MOST_SEED = 2 ** 32 - 1;
const MOST_TOLERANCE_MS = 3_600_000;
const COMMANDS: readonly string[] = ['sync', 'check', 'validate', 'settle', 'demo', 'status', 'attach', 'ctl'];
/** In the design, not in the program. */
const LATER_COMMANDS: readonly string[] = ['convert'];

const EXIT_CODES = `
Exit codes:
  0    completed, also after a stop with every shard drained
  1    failed
  2    usage or configuration error
  3    stopped by a key conflict
  4    differences found
  5    preflight refused
  6    completed with refused writes or a skipped shard
  130  interrupted (SIGINT) before all was drained
  143  terminated (SIGTERM) before all was drained

Passwords: take them from the environment or a file. One inside an address is hidden from ps once redferry
runs, but not from the shell's history, and on some systems not from /proc/PID/cmdline.
`;

/** What the demo's servers may be on one machine; Redis refuses a cluster of fewer than one master. */
const MOST_DEMO_KEYS = 100_000_000;
const MOST_DEMO_MASTERS = 16;
const MOST_DEMO_RATE = 1_000_000;

/**
 * Reads the arguments behind the program's name. Overwrites the process title when they hold a secret, so that `ps` does
 * not show it.
 * @throws FerryError `usage` with one line and a hint.
 */
export function parseArguments(
  args: readonly string[],
  print: (text: string) => void = (text) => process.stdout.write(text),
): ParsedCommand {
  hideSecretsFromProcessList(args);
  let parsed: ParsedCommand = { name: 'done' };
  const program = describe((command) => {
    parsed = command;
  }, print);
  try {
    program.parse(args, { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.exitCode !== 0) throw usageError(unknownCommand(args) ?? thrown.message);
  }
  return parsed;
}

function describe(found: (command: ParsedCommand) => void, print: (text: string) => void): Command {
  const program = new Command('redferry')
    .description('Move a live Redis or Valkey to another one, shard by shard, from one terminal screen.')
    .version(packageJson.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureOutput({ writeOut: print, writeErr: () => {} })
    .exitOverride();
  // Subcommands take over output and exit handling when they are made.
  const sync = program
    .command('sync', { isDefault: true })
    .description('run a migration (what happens without a command)');
  addShards(addEndpoints(sync))
    .addOption(readerOption())
    .addOption(new Option('--on-conflict <policy>', 'when a key exists on the target').choices([...CONFLICT_POLICIES]))
    .option('--snapshot-only', 'leave when the full sync is done')
    .option('--until <time>', 'stop in an AOF with timestamps there, for example 2026-11-21T03:00:00Z', parseTime)
    .option('--resume', 'go on with an unfinished run of this migration, from what it left here or on the target')
    .option('--fresh', 'begin anew, whatever an unfinished run has left')
    .option('--detach', 'in a process of its own, without a terminal; redferry attach opens its screen')
    .option('--headless', 'plain lines instead of the screen')
    .option('--json', 'one JSON object a line')
    .action((options: RawOptions) => found(syncCommand(options)));
  addShards(
    addEndpoints(program.command('check').description('look whether a migration can begin, and change nothing')),
  )
    .addOption(readerOption())
    .option('--json', 'the findings as one JSON object')
    .action((options: RawOptions) =>
      found({
        name: 'check',
        file: options.config ?? null,
        overrides: overridesOf(options),
        passwords: passwordsOf(options),
        json: options.json ?? false,
      }),
    );
  addEndpoints(program.command('validate').description('compare source and target, by sample or in full'))
    .option(
      '--sample <size>',
      'keys (30000), a share (5%) or a bound (0.01%@95); by default 0.1%@95',
      (size: string) => {
        parseSize(size);
        return size;
      },
    )
    .option('--full', 'compare every key, in both directions')
    .option('--source-only', 'do not look for keys that only the target has')
    .option('--rate <number>', 'keys a second', wholeNumber(1, MOST_VALIDATE_RATE))
    .option('--seed <number>', 'draw the same sample again', wholeNumber(0, MOST_SEED))
    .option('--ttl-tolerance <ms>', 'how far expiries may lie apart', wholeNumber(0, MOST_TOLERANCE_MS))
    .option('--export <file>', 'all differences, as a page (.html) or JSON lines; may be given again', gather, [])
    .option('--repair <target>', "copy what differs again; takes the target's address as a confirmation")
    .option('--state <file>', 'where --full keeps its progress, and goes on from')
    .option('--json', 'one JSON object a line')
    .action((options: RawOptions) => found(validateCommand(options)));
  addTarget(
    program.command('settle').description('give expiries on a target their time back after a run was killed'),
  ).action((options: RawOptions) =>
    found({
      name: 'settle',
      file: options.config ?? null,
      overrides: overridesOf(options),
      passwords: passwordsOf(options),
      json: false,
    }),
  );
  program
    .command('demo')
    .description('two local clusters with data and live writes, and the sync between them')
    .option('--keys <number>', 'keys in the source', wholeNumber(1, MOST_DEMO_KEYS), DEMO.keys)
    .option('--masters <number>', 'masters of each cluster', wholeNumber(1, MOST_DEMO_MASTERS), DEMO.masters)
    .option('--rate <number>', 'writes a second', wholeNumber(0, MOST_DEMO_RATE), DEMO.rate)
    .option('--headless', 'plain lines instead of the screen')
    .option('--json', 'one JSON object a line')
    .addOption(languageOption())
    .action((options: RawOptions) => found(demoCommand(options)));
  addControlCommands(program, found);
  for (const command of program.commands) command.addHelpText('after', EXIT_CODES);
  // Without a command it is sync: its options belong on the first page.
  return program.addHelpText('after', () => `\n${optionsOf(sync)}${EXIT_CODES}`);
}

/** The part of a command's help that lists its options. */
function optionsOf(command: Command): string {
  const help = command.helpInformation();
  return help.slice(help.indexOf('Options:')).replace('Options:', `Options of ${command.name()}:`);
}

function addTarget(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file (JSON)')
    .option('--target <address>', 'redis://HOST:PORT, rediss:// or redis-sentinel://HOST,HOST/NAME')
    .option('--target-password-env <name>', "environment variable with the target's password")
    .option('--target-password-file <file>', "file with the target's password");
}

function addEndpoints(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file (JSON)')
    .option(
      '--source <address>',
      'redis://HOST:PORT, rediss://, redis-sentinel://HOST,HOST/NAME, or rdb:FILE, aof:PATH, jsonl:FILE',
    )
    .option('--target <address>', 'the same for where the keys go')
    .option('--source-password-env <name>', "environment variable with the source's password")
    .option('--source-password-file <file>', "file with the source's password")
    .option('--target-password-env <name>', "environment variable with the target's password")
    .option('--target-password-file <file>', "file with the target's password")
    .addOption(languageOption());
}

function addShards(command: Command): Command {
  return command.option('--shards <numbers>', 'only these source shards, for example 0,2', parseShards);
}

function readerOption(): Option {
  return new Option('--reader <kind>', 'sync follows by replication, scan reads keys where that is closed').choices([
    ...READERS,
  ]);
}

function languageOption(): Option {
  return new Option('--lang <language>', 'language of the screen').choices([...LANGUAGES]);
}

function gather(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function parseTime(value: string): string {
  const timeMs = Date.parse(value);
  if (Number.isNaN(timeMs)) throw new InvalidArgumentError('Write a time as 2026-11-21T03:00:00Z.');
  return new Date(timeMs).toISOString();
}

function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Write a whole number from ${least} to ${most}.`);
  };
}

/** A word where a command stands, which the parser takes for one argument too many. */
function unknownCommand(args: readonly string[]): string | null {
  const [word = ''] = args;
  if (!/^[a-z]+$/.test(word) || COMMANDS.includes(word)) return null;
  if (LATER_COMMANDS.includes(word)) return `redferry ${word} is not built yet`;
  const near = nearest(word, COMMANDS);
  return `${word} is no command${near === null ? ` (there are ${COMMANDS.join(', ')})` : `; did you mean ${near}?`}`;
}

/**
 * Linux shows the new title in `ps` and in /proc/PID/cmdline; other systems may keep the arguments there, and between
 * the start and this line they can be seen everywhere, as can those of a shell or npm that started us.
 */
function hideSecretsFromProcessList(args: readonly string[]): void {
  const held = args.some((arg) => passwordIn(arg.replace(/^--(source|target)=/, '')) !== null);
  if (held) process.title = 'redferry';
}
