// Whether the source lets this user replicate: PSYNC must exist there and be allowed, and REPLCONF too. Asked without
// starting a replication: COMMAND INFO, a REPLCONF that says what the reader says later, ACL DRYRUN.
import { messageOf } from '../../engine/errors.ts';
import { formatAddress } from '../../topology/endpoint.ts';
import { ok, refuse, rightTo } from '../answers.ts';
import type { Answer, Check, PreflightNode } from '../check.ts';
import { QUESTIONS, SOURCE_PERMISSION } from '../sentences.ts';

export const sourcePermission: Check = {
  id: 'source-permission',
  question: QUESTIONS['source-permission'],
  async run({ source }) {
    const user = source.endpoint.credentials.username ?? 'default';
    const answers = await Promise.all(source.nodes.map((node) => ask(node, user)));
    return answers.find(({ verdict }) => verdict === 'refuse') ?? answers[0] ?? ok(SOURCE_PERMISSION.ok);
  },
};

async function ask(node: PreflightNode, user: string): Promise<Answer> {
  const place = formatAddress(node.address);
  const denied = (command: string): Answer =>
    refuse(SOURCE_PERMISSION.denied(place, user, command), SOURCE_PERMISSION.remedy(user));
  if (await isMissing(node)) {
    return refuse(SOURCE_PERMISSION.notOffered(place), SOURCE_PERMISSION.notOfferedRemedy);
  }
  // Port 0 is what the reader gives too: nobody must take redferry for a failover candidate.
  const replconf = await refusalOf(node, 'REPLCONF', 'listening-port', '0');
  if (/NOPERM/.test(replconf ?? '')) return denied('REPLCONF');
  const psync = await rightTo(node.connection, user, ['PSYNC', '?', '-1']);
  if (psync === 'denied') return denied('PSYNC');
  return ok(psync === 'unknown' ? SOURCE_PERMISSION.unknown(place) : SOURCE_PERMISSION.ok);
}

/** A renamed or removed command is answered with nothing. */
async function isMissing({ connection }: PreflightNode): Promise<boolean> {
  try {
    const reply: unknown = await connection.call('COMMAND', 'INFO', 'PSYNC');
    return Array.isArray(reply) && (reply.length === 0 || reply[0] === null);
  } catch {
    return false;
  }
}

async function refusalOf({ connection }: PreflightNode, command: string, ...args: string[]): Promise<string | null> {
  try {
    await connection.call(command, ...args);
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
