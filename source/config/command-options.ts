// From a command's options to the command: only what was given, and nothing that contradicts itself.

import type { CONFLICT_POLICIES } from '../engine/contract/conflict.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { describeAddress } from './address.ts';
import type { DemoCommand, PasswordOrigin, RunCommand, SyncCommand, ValidateCommand } from './parsed-command.ts';
import type { READERS } from './reader.ts';
import type { SettingsInput } from './schema.ts';

/** As the parser gives them, whatever the command. */
export interface RawOptions {
  readonly config?: string;
  readonly source?: string;
  readonly target?: string;
  readonly sourcePasswordEnv?: string;
  readonly sourcePasswordFile?: string;
  readonly targetPasswordEnv?: string;
  readonly targetPasswordFile?: string;
  readonly reader?: (typeof READERS)[number];
  readonly onConflict?: (typeof CONFLICT_POLICIES)[number];
  readonly snapshotOnly?: true;
  readonly shards?: readonly number[];
  readonly until?: string;
  readonly sample?: string;
  readonly full?: boolean;
  readonly sourceOnly?: boolean;
  readonly seed?: number;
  readonly ttlTolerance?: number;
  readonly export?: readonly string[];
  readonly repair?: string;
  readonly state?: string;
  readonly resume?: true;
  readonly fresh?: true;
  readonly detach?: true;
  readonly headless?: true;
  readonly json?: true;
  readonly lang?: 'en' | 'zh';
  readonly keys?: number;
  readonly masters?: number;
  readonly rate?: number;
}

export const DEMO = { keys: 300_000, masters: 3, rate: 500 } as const;

export function syncCommand(options: RawOptions): SyncCommand {
  if (options.detach === true && options.json === true) {
    throw usageError('--detach leaves nobody to read --json; redferry status --json tells how it goes');
  }
  if (options.resume === true && options.fresh === true) throw usageError('--resume and --fresh exclude each other');
  return {
    name: 'sync',
    detach: options.detach ?? false,
    file: options.config ?? null,
    overrides: overridesOf(options),
    passwords: passwordsOf(options),
    headless: options.headless ?? false,
    json: options.json ?? false,
    snapshotOnly: options.snapshotOnly ?? false,
    resume: options.resume === true ? 'resume' : options.fresh === true ? 'fresh' : 'ask',
  };
}

export function validateCommand(options: RawOptions): ValidateCommand {
  if (options.full === true && options.sample !== undefined) throw usageError('--full and --sample exclude each other');
  return {
    name: 'validate',
    file: options.config ?? null,
    overrides: overridesOf(options),
    passwords: passwordsOf(options),
    json: options.json ?? false,
    size: options.full === true ? 'full' : (options.sample ?? null),
    sourceOnly: options.sourceOnly ?? false,
    rate: options.rate ?? null,
    seed: options.seed ?? null,
    toleranceMs: options.ttlTolerance ?? null,
    exports: options.export ?? [],
    repair: options.repair ?? null,
    stateFile: options.state ?? null,
  };
}

export function demoCommand(options: RawOptions): DemoCommand {
  return {
    name: 'demo',
    keys: options.keys ?? DEMO.keys,
    masters: options.masters ?? DEMO.masters,
    rate: options.rate ?? DEMO.rate,
    headless: options.headless ?? false,
    json: options.json ?? false,
    language: options.lang ?? null,
  };
}

export function passwordsOf(options: RawOptions): RunCommand['passwords'] {
  return {
    source: passwordOrigin('source', options.sourcePasswordEnv, options.sourcePasswordFile),
    target: passwordOrigin('target', options.targetPasswordEnv, options.targetPasswordFile),
  };
}

function passwordOrigin(side: string, name: string | undefined, file: string | undefined): PasswordOrigin | null {
  if (name !== undefined && file !== undefined) {
    throw usageError(`Of --${side}-password-env and --${side}-password-file only one can be given`);
  }
  if (name !== undefined) return { kind: 'env', name };
  return file === undefined ? null : { kind: 'file', file };
}

/** Only what was given: an absent option must not hide the file's setting. */
export function overridesOf(options: RawOptions): SettingsInput {
  return {
    source: {
      ...(options.source === undefined ? {} : { address: options.source }),
      ...(options.reader === undefined ? {} : { reader: options.reader }),
      ...(options.shards === undefined ? {} : { shards: options.shards }),
      ...(options.until === undefined ? {} : { until: options.until }),
    },
    target: {
      ...(options.target === undefined ? {} : { address: options.target }),
    },
    ...(options.onConflict === undefined ? {} : { conflict: options.onConflict }),
    ...(options.lang === undefined ? {} : { interface: { language: options.lang } }),
  };
}

/** The parser's message on one line, its "error:" taken off, whatever looks like credentials hidden. */
export function usageError(message: string): FerryError {
  const sentence = message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return new FerryError(`${sentence.replace(/\S*@\S*/g, hideCredentials)}; see redferry --help.`, {
    code: 'usage',
    exitCode: EXIT.usage,
  });
}

function hideCredentials(word: string): string {
  const option = /^\W*--[\w-]+=/.exec(word)?.[0] ?? /^['"]/.exec(word)?.[0] ?? '';
  return option + describeAddress(word.slice(option.length));
}
