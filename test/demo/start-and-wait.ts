// A process for local-servers.test.ts to end: starts a server, prints its pid and folder, then waits (bare, or with a
// screen of Ink, which listens for signals too), throws or exits.
import { render } from 'ink';
import { startServer } from '../../source/demo/local-servers.ts';

const server = await startServer();
if (process.argv[2] === 'screen') render(null, { stdout: process.stderr, patchConsole: false });
process.stdout.write(`${server.pid} ${server.directory}\n`, () => {
  if (process.argv[2] === 'throw') throw new Error('uncaught on purpose');
  if (process.argv[2] === 'exit') process.exit(0);
  setInterval(() => {}, 1000);
});
