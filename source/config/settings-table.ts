// docs/configuration.md's table, from the schema: one line for each setting.
import { jsonSchemaText } from './json-schema.ts';

interface SchemaNode {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

const HEAD = ['setting', 'default', 'meaning'] as const;
/** For editors only. */
const NO_SETTING = '$schema';

/** A Markdown table of all settings, ended by a newline. */
export function settingsTable(): string {
  const rows = rowsOf(JSON.parse(jsonSchemaText()) as SchemaNode, '');
  const lines = [HEAD, HEAD.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`);
  return lines.join('');
}

function rowsOf(node: SchemaNode, path: string): (readonly string[])[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, property]) => {
    if (name === NO_SETTING) return [];
    if (property.properties !== undefined) return rowsOf(property, `${path}${name}.`);
    const initial = property.default === undefined ? '' : `\`${JSON.stringify(property.default)}\``;
    return [[`\`${path}${name}\``, initial, property.description ?? '']];
  });
}
