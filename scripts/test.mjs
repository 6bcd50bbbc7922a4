// `npm test`: sets up whatever is missing, then runs vitest on the pinned Node. Arguments go to vitest, so that
// `npm test -- test/rdb` runs one folder; `--core` stands for the tests that depend on the server's version;
// REDIS_SERVER names another server binary to test against, REDFERRY_LONG=1 takes the long forms.
import { join } from 'node:path';
import { CORE_TESTS } from './core-tests.mjs';
import { ensureBuild, ensureDependencies, ensureRedisServer, pinnedNode, root, runInFront } from './setup.mjs';

ensureDependencies();
const node = pinnedNode();
ensureRedisServer();
ensureBuild(node);

const chosen = process.argv.slice(2).flatMap((argument) => (argument === '--core' ? CORE_TESTS : argument));
runInFront(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...chosen], { cwd: root });
