// Says in one sentence what the schema has against a configuration: the setting by its path, what it must be, and for
// an unknown one the nearest that exists. Never repeats a value: it could be a secret.
import { z } from 'zod';
import { nearest } from './nearest.ts';
import { settingsSchema } from './schema.ts';

/** The first complaint in full, and how many more there are. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string {
  const sentences = issues.flatMap(describeIssue);
  const [first = 'The configuration is not valid'] = sentences;
  if (sentences.length > 1) return `${first} (and ${sentences.length - 1} more)`;
  return first.endsWith('?') ? first : `${first}.`;
}

function describeIssue(issue: z.core.$ZodIssue): readonly string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => describeUnknown(path, key));
  return [`${path.join('.')}: ${demandOf(issue)}`];
}

function demandOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${EXPECTED[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string' || issue.origin === 'array'
        ? 'must not be empty'
        : `must be at least ${issue.minimum}`;
    case 'too_big':
      return `must be at most ${issue.maximum}`;
    case 'invalid_key':
      return 'must have names of the form HOST:PORT or [IPv6]:PORT';
    default:
      return issue.message;
  }
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text in double quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list in square brackets',
  object: 'a section in braces',
  record: 'a section in braces',
};

function describeUnknown(path: readonly string[], key: string): string {
  const suggestion = nearestSetting(path, key);
  const unknown = `${[...path, key].join('.')}: unknown setting`;
  return suggestion === null ? unknown : `${unknown}; did you mean ${suggestion}?`;
}

/** The nearest in the same section, else the nearest anywhere. */
function nearestSetting(path: readonly string[], key: string): string | null {
  const all = knownSettings();
  const lastPart = (setting: string): string => setting.slice(setting.lastIndexOf('.') + 1);
  const prefix = path.length === 0 ? '' : `${path.join('.')}.`;
  const siblings = all.filter((setting) => setting.startsWith(prefix) && !setting.slice(prefix.length).includes('.'));
  const near = nearest(key, siblings.map(lastPart));
  if (near !== null) return prefix + near;
  const anywhere = nearest(key, all.map(lastPart));
  return all.find((setting) => lastPart(setting) === anywhere) ?? null;
}

/** Paths of all settings and sections. */
export function knownSettings(): readonly string[] {
  const paths: string[] = [];
  collect(settingsSchema, '', paths);
  return paths;
}

function collect(schema: z.core.$ZodType, prefix: string, paths: string[]): void {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return;
  for (const [name, field] of Object.entries<z.core.$ZodType>(inner.shape)) {
    paths.push(prefix + name);
    collect(field, `${prefix}${name}.`, paths);
  }
}

/** A section stands inside its default. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
    ? unwrap(schema.unwrap())
    : schema;
}
