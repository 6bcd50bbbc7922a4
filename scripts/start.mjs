// `npm start`: sets up whatever is missing, then runs redferry on the pinned Node; without arguments its demo.
// Stays in front of the child only to hand over signals and its exit code.
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureRedisServer, pinnedNode, root, runInFront } from './setup.mjs';

const args = process.argv.length > 2 ? process.argv.slice(2) : ['demo'];

ensureDependencies();
const node = pinnedNode();
// Only the demo starts servers; a migration between existing ones needs none on this machine.
if (args.includes('demo')) ensureRedisServer();
ensureBuild(node);

runInFront(node, [join(root, 'dist/cli.js'), ...args]);
