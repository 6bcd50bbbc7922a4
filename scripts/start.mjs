// `npm start`: sets up whatever is missing, then runs redferry on the pinned Node; without arguments its demo.
// Stays in front of the child only to hand over signals and its exit code.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureRedisServer, fail, pinnedNode, root } from './setup.mjs';

const args = process.argv.length > 2 ? process.argv.slice(2) : ['demo'];

ensureDependencies();
const node = pinnedNode();
// Only the demo starts servers; a migration between existing ones needs none on this machine.
if (args.includes('demo')) ensureRedisServer();
ensureBuild(node);

const child = spawn(node, [join(root, 'dist/cli.js'), ...args], { stdio: 'inherit' });
// The terminal sends Ctrl-C to the whole group, so the child has it already: passing it on would count as a second one.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
process.on('SIGHUP', () => child.kill('SIGHUP'));
child.on('error', (error) => fail(`could not start ${node} (${error.message}).`));
child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
