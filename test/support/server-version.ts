// What the server that the tests run with can do: some arguments and rights are newer than others.
import { binaryVersion, serverBinary } from '../../source/demo/server-process.ts';

/** REDIS_SERVER's, or that of the PATH; Valkey's own numbers are above those of the Redis that it comes from. */
export const { major } = await binaryVersion(serverBinary(undefined));

/** Arguments without which DEBUG is refused; before 7.0 it never is. */
export const DEBUG_ALLOWED: readonly string[] = major >= 7 ? ['--enable-debug-command', 'yes'] : [];
