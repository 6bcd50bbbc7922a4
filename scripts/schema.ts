// Writes config.schema.json anew from the settings' schema: run it after a change there.
import { writeFileSync } from 'node:fs';
import { jsonSchemaText } from '../source/config/json-schema.ts';

writeFileSync(new URL('../config.schema.json', import.meta.url), jsonSchemaText());
