// `npm run chaos -- --scenario NAME --seed N --faults N`: sets up whatever is missing, then breaks servers, links and
// redferry itself while data moves, and compares every key at the end. docs/chaos.md says more; --list names the scenarios.
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureRedisServer, pinnedNode, root, runInFront } from './setup.mjs';

ensureDependencies();
const node = pinnedNode();
ensureRedisServer();
ensureBuild(node);

runInFront(node, [join(root, 'test/chaos/main.ts'), ...process.argv.slice(2)]);
