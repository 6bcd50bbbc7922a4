// `npm test`: sets up whatever is missing, then runs vitest on the pinned Node. Arguments go to vitest, so that
// `npm test -- test/rdb` runs one folder; REDIS_SERVER names another server binary to test against.
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureRedisServer, pinnedNode, root, runInFront } from './setup.mjs';

ensureDependencies();
const node = pinnedNode();
ensureRedisServer();
ensureBuild(node);

runInFront(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)], { cwd: root });
