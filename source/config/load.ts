// From a configuration file and the command line to checked settings with all defaults. Reads files and the
// environment, connects to nothing. Every mistake is one sentence that never holds a secret.
import { readFileSync, statSync } from 'node:fs';
import { messageOf } from '../engine/errors.ts';
import { passwordIn } from './address.ts';
import { configError } from './config-error.ts';
import { expandEnvironment } from './environment.ts';
import { findJsonMistake } from './json-error.ts';
import { isSection, mergeSettings, type Section } from './merge.ts';
import { type Settings, type SettingsInput, settingsSchema } from './schema.ts';
import { describeIssues } from './settings-error.ts';

export interface LoadOptions {
  /** null for defaults and overrides alone. */
  readonly file: string | null;
  /** What the command line says; it goes before the file. */
  readonly overrides?: SettingsInput;
  readonly environment?: NodeJS.ProcessEnv;
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** Sentences for the person; nothing that stops the run. */
  readonly warnings: readonly string[];
}

/** @throws FerryError with code `config` and the exit code for usage. */
export function loadSettings({ file, overrides = {}, environment = process.env }: LoadOptions): LoadedSettings {
  const { $schema: _forEditors, ...written } = file === null ? {} : readConfigFile(file);
  const expanded = expandEnvironment(written, environment);
  const merged = mergeSettings(isSection(expanded) ? expanded : {}, { ...overrides });
  const checked = settingsSchema.safeParse(merged);
  if (!checked.success) throw configError(withFile(describeIssues(checked.error.issues), file));
  return {
    settings: checked.data,
    warnings: file === null ? [] : fileWarnings(file, written),
  };
}

function withFile(sentence: string, file: string | null): string {
  return file === null ? sentence : `${file}: ${sentence}`;
}

function readConfigFile(file: string): Section {
  let content: string;
  try {
    content = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (thrown) {
    throw configError(`The configuration ${file} cannot be read: ${reasonOf(thrown)}.`);
  }
  const mistake = findJsonMistake(content);
  if (mistake !== null) {
    const { line, column, expected } = mistake;
    throw configError(`${file}: this is not JSON at line ${line}, column ${column}: expected ${expected}.`);
  }
  const parsed: unknown = JSON.parse(content);
  if (!isSection(parsed)) throw configError(`${file}: a configuration is one JSON object in braces.`);
  return parsed;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'this user may not read it',
  EISDIR: 'it is a directory',
};

/** Why a file could not be read, in words. */
export function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return REASONS[code] ?? messageOf(thrown);
}

/** All rights of group and others, in the mode bits of a file. */
const OTHERS = 0o077;

function fileWarnings(file: string, written: Section): readonly string[] {
  // Windows has no mode bits that say who may read.
  if (process.platform === 'win32' || !holdsPassword(written) || (statSync(file).mode & OTHERS) === 0) return [];
  return [
    `${file} holds a password and others can read it: chmod 600 it, or write "\${NAME}" in place of the password.`,
  ];
}

/** What comes from the environment is not in the file. */
function holdsPassword(section: Section): boolean {
  return Object.entries(section).some(([name, value]) => {
    if (isSection(value)) return holdsPassword(value);
    if (typeof value !== 'string') return false;
    const password = name === 'password' ? value : name === 'address' ? (passwordIn(value) ?? '') : '';
    return password !== '' && !/(?<!\$)\$\{/.test(password);
  });
}
