// One question to one server: connect, send a command, take the one-line or bulk reply, close. For starting servers and
// forming clusters, where a client that reconnects by itself would hide what is being waited for.
import { connect } from 'node:net';
import { encodeCommand } from '../protocol/resp-encode.ts';
import type { NodeAddress } from '../topology/endpoint.ts';

const DEFAULT_DEADLINE_MS = 5000;

/**
 * The reply's text: of a bulk string its content, of a status or number the line without its mark.
 * @throws Error with the server's own words for an error reply, or when there is no whole reply before the deadline.
 */
export function askServer(
  address: NodeAddress,
  args: readonly string[],
  deadlineMs = DEFAULT_DEADLINE_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address.host, port: address.port });
    let received = Buffer.alloc(0);
    const timer = setTimeout(
      () => finish(new Error(`no answer to ${args.join(' ')} within ${deadlineMs} ms`)),
      deadlineMs,
    );
    const finish = (outcome: string | Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (typeof outcome === 'string') resolve(outcome);
      else reject(outcome);
    };
    socket.on('connect', () => socket.write(encodeCommand(args)));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      const outcome = readReply(received);
      if (outcome !== null) finish(outcome);
    });
    socket.on('error', finish);
    socket.on('close', () => finish(new Error(`the link closed before the answer to ${args.join(' ')}`)));
  });
}

/** Null while the reply is not whole. */
function readReply(bytes: Buffer): string | Error | null {
  const lineEnd = bytes.indexOf('\r\n');
  if (lineEnd < 0) return null;
  const line = bytes.toString('utf8', 1, lineEnd);
  switch (String.fromCharCode(bytes[0] ?? 0)) {
    case '+':
    case ':':
      return line;
    case '-':
      return new Error(line);
    case '$': {
      const start = lineEnd + 2;
      const end = start + Number(line);
      return bytes.length < end + 2 ? null : bytes.toString('utf8', start, end);
    }
    default:
      return new Error(`unexpected reply ${bytes.toString('latin1', 0, lineEnd)}`);
  }
}
