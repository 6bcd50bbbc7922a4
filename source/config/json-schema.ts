// config.schema.json for editors, generated from the one schema; the committed file is checked against it by a test.
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { settingsSchema } from './schema.ts';

/** The JSON schema of a configuration file. */
export function jsonSchema(): Record<string, unknown> {
  const { $schema, properties, ...others } = z.toJSONSchema(settingsSchema, { io: 'input', target: 'draft-7' });
  return {
    $schema,
    title: 'redferry configuration',
    ...others,
    properties: { $schema: { type: 'string', description: 'Path of this schema, for editors.' }, ...properties },
  };
}

/** The text of the committed file, lists of words on one line as the formatter wants them. */
export function jsonSchemaText(): string {
  const text = JSON.stringify(jsonSchema(), null, 2);
  return `${text.replace(/\[\s+([^[\]{}]+?)\s+\]/g, (_, words: string) => `[${words.replace(/\n\s+/g, ' ')}]`)}\n`;
}

/** Writes the schema to a file, for a release or after the settings changed. */
export function writeSchema(file: string): void {
  writeFileSync(file, jsonSchemaText());
}
