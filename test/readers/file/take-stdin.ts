// Run by a test in a process of its own: reads standard input as a file source does and prints what came.
import { createHash } from 'node:crypto';
import { takeAll } from './take-all.ts';

const { files, error } = await takeAll(['-'], { format: 'rdb' });
const bytes = Buffer.concat([...files]);
const sha1 = createHash('sha1').update(bytes).digest('hex');
console.log(JSON.stringify({ length: bytes.length, sha1, error: error?.message ?? null }));
