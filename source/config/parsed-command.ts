// What the command line can ask for.
import type { ControlCommand } from './control-arguments.ts';
import type { SettingsInput } from './schema.ts';

/** Where a password is to be taken from. */
export type PasswordOrigin =
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'file'; readonly file: string };

/** What of a command says where its settings come from. */
export interface RunCommand {
  /** The configuration file, or null. */
  readonly file: string | null;
  /** What goes before the file. */
  readonly overrides: SettingsInput;
  readonly passwords: { readonly source: PasswordOrigin | null; readonly target: PasswordOrigin | null };
  readonly json: boolean;
}

export interface SyncCommand extends RunCommand {
  readonly name: 'sync';
  /** In a process of its own, without a terminal. */
  readonly detach: boolean;
  readonly headless: boolean;
  readonly snapshotOnly: boolean;
  /** What to do with an unfinished run of the same migration. */
  readonly resume: 'ask' | 'resume' | 'fresh';
}

export interface CheckCommand extends RunCommand {
  readonly name: 'check';
}

export interface DemoCommand {
  readonly name: 'demo';
  readonly keys: number;
  readonly masters: number;
  /** Writes a second. */
  readonly rate: number;
  readonly headless: boolean;
  readonly json: boolean;
  readonly language: 'en' | 'zh' | null;
}

/** Help or version was asked for and is printed: nothing is left to do. */
export interface DoneCommand {
  readonly name: 'done';
}

export interface ValidateCommand extends RunCommand {
  readonly name: 'validate';
  /** `full` compares every key, in both directions; null for the configured sample. */
  readonly size: string | null;
  /** Keys that are only on the target are not looked for. */
  readonly sourceOnly: boolean;
  /** Keys a second; null for as fast as it goes. */
  readonly rate: number | null;
  readonly seed: number | null;
  /** How far expiries may lie apart, ms; null for the default. */
  readonly toleranceMs: number | null;
  /** Files for all differences: `.html` gets a page, any other name JSON lines. */
  readonly exports: readonly string[];
  /** The target's address, typed once more: what differs is copied again. */
  readonly repair: string | null;
  /** Where a full comparison keeps its progress, and goes on from. */
  readonly stateFile: string | null;
}

/** Ends what runs have left on a target: held expiries, import-mode. */
export interface SettleCommand extends RunCommand {
  readonly name: 'settle';
}

export type ParsedCommand =
  | SyncCommand
  | CheckCommand
  | ValidateCommand
  | SettleCommand
  | DemoCommand
  | ControlCommand
  | DoneCommand;
