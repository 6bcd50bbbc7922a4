// Whether the source lets this user scan: asked without reading a value, by ACL DRYRUN.
import { formatAddress } from '../../topology/endpoint.ts';
import { ok, refuse, rightTo, warn } from '../answers.ts';
import type { Answer, Check, PreflightNode } from '../check.ts';
import { QUESTIONS, SCAN_PERMISSION } from '../sentences.ts';

const KEY = 'redferry:preflight';
const NEEDED: readonly (readonly string[])[] = [
  ['SCAN', '0'],
  ['DUMP', KEY],
  ['MGET', KEY],
  ['GET', KEY],
  ['PTTL', KEY],
  ['INFO', 'keyspace'],
];
const SIZES: readonly string[] = ['MEMORY', 'USAGE', KEY];

export const scanPermission: Check = {
  id: 'scan-permission',
  question: QUESTIONS['scan-permission'],
  async run({ source }) {
    const user = source.endpoint.credentials.username ?? 'default';
    const answers = await Promise.all(source.nodes.map((node) => ask(node, user)));
    return (
      answers.find(({ verdict }) => verdict === 'refuse') ??
      answers.find(({ verdict }) => verdict === 'warn') ??
      answers[0] ??
      ok(SCAN_PERMISSION.ok)
    );
  },
};

async function ask(node: PreflightNode, user: string): Promise<Answer> {
  const place = formatAddress(node.address);
  for (const command of NEEDED) {
    const right = await rightTo(node.connection, user, command);
    if (right === 'denied')
      return refuse(SCAN_PERMISSION.denied(place, user, command[0] ?? ''), SCAN_PERMISSION.remedy(user));
    if (right === 'unknown') return ok(SCAN_PERMISSION.unknown(place));
  }
  if ((await rightTo(node.connection, user, SIZES)) === 'denied')
    return warn(SCAN_PERMISSION.sizes(place, user), SCAN_PERMISSION.remedy(user));
  return ok(SCAN_PERMISSION.ok);
}
