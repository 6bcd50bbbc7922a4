import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { jsonSchemaText } from '../../source/config/json-schema.ts';
import { loadSettings } from '../../source/config/load.ts';
import { defaultSettings } from '../../source/config/schema.ts';
import { knownSettings } from '../../source/config/settings-error.ts';
import { settingsTable } from '../../source/config/settings-table.ts';

const root = new URL('../../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

test('config.schema.json is the one the settings give', () => {
  expect(read('config.schema.json')).toBe(jsonSchemaText());
});

test('docs/configuration.md holds the table that the settings give', () => {
  expect(read('docs/configuration.md')).toContain(settingsTable());
});

test('every setting is described', () => {
  const undescribed: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null || !('properties' in node)) return;
    for (const [name, property] of Object.entries(node.properties ?? {})) {
      if (!property.description) undescribed.push(path + name);
      walk(property, `${path}${name}.`);
    }
  };
  walk(JSON.parse(read('config.schema.json')), '');
  expect(undescribed).toEqual([]);
});

test('config.example.json shows every setting and loads', () => {
  const environment = { SOURCE_PASSWORD: 'a', SENTINEL_PASSWORD: 'b', TARGET_PASSWORD: 'c' };
  const { settings, warnings } = loadSettings({ file: new URL('config.example.json', root).pathname, environment });
  expect(warnings).toEqual([]);
  expect(settings.target.password).toBe('c');
  expect(settings.limits).toMatchObject({ ...defaultSettings().limits, spoolDirectory: '/var/tmp' });
  const example: unknown = JSON.parse(read('config.example.json'));
  const has = (path: string): boolean =>
    path.split('.').reduce<unknown>((at, name) => (Object(at) as Record<string, unknown>)[name], example) !== undefined;
  expect(knownSettings().length).toBeGreaterThan(40);
  expect(knownSettings().filter((path) => !has(path))).toEqual([]);
});
