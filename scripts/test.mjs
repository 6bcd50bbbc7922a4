// `npm test`: sets up whatever is missing, then runs vitest on the pinned Node. Arguments go to vitest, so that
// `npm test -- test/rdb` runs one folder; REDIS_SERVER names another server binary to test against.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureRedisServer, fail, pinnedNode, root } from './setup.mjs';

ensureDependencies();
const node = pinnedNode();
ensureRedisServer();
ensureBuild(node);

const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const child = spawn(node, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGHUP', () => child.kill('SIGHUP'));
child.on('error', (error) => fail(`could not start ${node} (${error.message}).`));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
