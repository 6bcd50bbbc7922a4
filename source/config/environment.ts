// `${NAME}` in a configuration's strings: replaced by the variable of the environment. An unset one is an error, so
// that a forgotten secret never becomes an empty password. `$${NAME}` stands for the text itself.
import { configError } from './config-error.ts';

const REFERENCE = /(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** A copy of `value` with every reference replaced; `path` is where it stands in the file. */
export function expandEnvironment(
  value: unknown,
  environment: NodeJS.ProcessEnv,
  path: readonly string[] = [],
): unknown {
  if (typeof value === 'string') return expandText(value, environment, path);
  if (Array.isArray(value)) return value.map((item, at) => expandEnvironment(item, environment, [...path, String(at)]));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, expandEnvironment(item, environment, [...path, name])]),
  );
}

function expandText(text: string, environment: NodeJS.ProcessEnv, path: readonly string[]): string {
  return text.replace(REFERENCE, (reference, doubled: string, name: string) => {
    if (doubled !== '') return reference.slice(1);
    const value = environment[name];
    if (value === undefined) {
      throw configError(`${path.join('.')}: the environment variable ${name} is not set.`);
    }
    return value;
  });
}
