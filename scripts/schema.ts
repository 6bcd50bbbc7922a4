// Writes config.schema.json and the table of docs/configuration.md anew from the settings' schema: run it after a change
// there.
import { readFileSync, writeFileSync } from 'node:fs';
import { jsonSchemaText } from '../source/config/json-schema.ts';
import { settingsTable } from '../source/config/settings-table.ts';

const page = new URL('../docs/configuration.md', import.meta.url);
const before = readFileSync(page, 'utf8');

writeFileSync(new URL('../config.schema.json', import.meta.url), jsonSchemaText());
writeFileSync(page, before.slice(0, before.indexOf('| setting')) + settingsTable());
