// Questions to servers that may be frozen, dying or loading: a connection for each, a deadline for each.
import type { NodeAddress } from '../../source/topology/endpoint.ts';
import { type Command, Connection } from '../../source/validation/connection.ts';
import { type Reply, ReplyError } from '../../source/validation/resp-reader.ts';
import { text } from '../../source/validation/side.ts';

const ANSWER_MS = 5000;

/** The replies, errors as values. @throws Error when the server is silent or gone. */
export async function askAll(
  address: NodeAddress,
  commands: readonly Command[],
  database = 0,
  deadlineMs = ANSWER_MS,
): Promise<readonly Reply[]> {
  const deadline = Date.now() + deadlineMs;
  const connection = await before(deadline, Connection.open({ host: address.host, port: address.port }), (late) =>
    late.close(),
  );
  try {
    return await before(deadline, connection.batch(commands, database));
  } finally {
    connection.close();
  }
}

/** The reply's text. @throws Error also for an error reply, with the server's words. */
export async function ask(address: NodeAddress, ...command: Command): Promise<string> {
  const [reply] = await askAll(address, [command]);
  if (reply instanceof ReplyError) {
    throw new Error(`${address.host}:${address.port} answers ${command.join(' ')} with ${reply.message}`);
  }
  return text(reply ?? null);
}

/** Fields of INFO; a field that is not there is undefined. */
export async function info(address: NodeAddress, section = 'default'): Promise<ReadonlyMap<string, string>> {
  const lines = (await ask(address, 'INFO', section)).split('\r\n');
  return new Map(lines.filter((line) => line.includes(':')).map((line) => splitAt(line, line.indexOf(':'))));
}

function splitAt(line: string, at: number): [string, string] {
  return [line.slice(0, at), line.slice(at + 1)];
}

async function before<T>(deadline: number, work: Promise<T>, onLate: (late: T) => void = () => {}): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error('no answer in time'));
      work.then(onLate, () => {});
    }, deadline - Date.now());
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
