// The settings of one command: its configuration file, what its options say over it, and secrets from where they are.
import { readFileSync } from 'node:fs';
import { EXIT, FerryError } from '../engine/errors.ts';
import { parseAddress, parseFileAddress, passwordIn } from './address.ts';
import { configError } from './config-error.ts';
import { type LoadedSettings, loadSettings, reasonOf } from './load.ts';
import { mergeSettings } from './merge.ts';
import type { PasswordOrigin, RunCommand } from './parsed-command.ts';
import type { Settings } from './schema.ts';

const SIDES = ['source', 'target'] as const;
type Side = (typeof SIDES)[number];

const NO_CREDENTIALS = { username: null, password: null };

/**
 * @param needed the sides that the command can not do without.
 * @throws FerryError `config` or `usage`, before anything is connected or written.
 */
export function settingsFrom(command: RunCommand, needed: readonly Side[] = SIDES): LoadedSettings {
  const overrides = mergeSettings(command.overrides, {
    source: credentialsFor('source', command),
    target: credentialsFor('target', command),
  });
  const { settings, warnings } = loadSettings({ file: command.file, overrides });
  const missing = needed.filter((side) => settings[side].address === '');
  if (missing.length > 0) throw missingSides(missing);
  const ofSides = SIDES.flatMap((side) => [...addressWarning(side, command), ...verifyWarning(side, settings)]);
  return { settings, warnings: [...warnings, ...ofSides] };
}

/** An address on the command line brings its own credentials, which go before the file's. */
function credentialsFor(side: Side, { overrides, passwords }: RunCommand) {
  const address = overrides[side]?.address;
  const { username, password } =
    address === undefined || parseFileAddress(address) !== null ? NO_CREDENTIALS : parseAddress(address);
  const given = passwords[side] === null ? password : readPassword(side, passwords[side]);
  return {
    ...(username === null && password === null ? {} : { username: username ?? '' }),
    ...(given === null ? {} : { password: given }),
  };
}

function readPassword(side: Side, origin: PasswordOrigin): string {
  if (origin.kind === 'env') {
    const value = process.env[origin.name];
    if (value === undefined || value === '') {
      throw configError(`--${side}-password-env: the environment variable ${origin.name} is not set.`);
    }
    return value;
  }
  try {
    return readFileSync(origin.file, 'utf8').replace(/\r?\n$/, '');
  } catch (thrown) {
    throw configError(`--${side}-password-file: ${origin.file} cannot be read: ${reasonOf(thrown)}.`);
  }
}

function missingSides(missing: readonly Side[]): FerryError {
  const options = missing.map((side) => `--${side} ADDRESS`).join(' and ');
  return new FerryError(
    `There is no ${missing.join(' and no ')}: give ${options} or --config FILE; redferry demo shows how it works.`,
    { code: 'usage', exitCode: EXIT.usage },
  );
}

function addressWarning(side: Side, { overrides }: RunCommand): readonly string[] {
  if (passwordIn(overrides[side]?.address ?? '') === null) return [];
  return [
    `--${side} holds a password, which other users could see in the process list and which the shell's history keeps: use --${side}-password-env or --${side}-password-file.`,
  ];
}

function verifyWarning(side: Side, settings: Settings): readonly string[] {
  if (settings[side].tls?.verify !== false) return [];
  return [
    `${side}.tls.verify is off: whoever stands between here and the ${side} can pass for it, and read and change everything. Give its authority with ${side}.tls.caFile instead.`,
  ];
}
