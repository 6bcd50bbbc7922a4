// Whether the source tells of changes while it is scanned, or can be made to.

import { judgeFlags, sufficientFlags } from '../../readers/scan/keyspace-flags.ts';
import { formatAddress } from '../../topology/endpoint.ts';
import { configValue, ok, rightTo, warn } from '../answers.ts';
import type { Answer, Check, PreflightNode } from '../check.ts';
import { KEYSPACE_EVENTS, QUESTIONS } from '../sentences.ts';

export const keyspaceEvents: Check = {
  id: 'keyspace-events',
  question: QUESTIONS['keyspace-events'],
  async run({ source }) {
    const user = source.endpoint.credentials.username ?? 'default';
    const answers = await Promise.all(source.nodes.map((node) => ask(node, user)));
    return answers.find(({ verdict }) => verdict === 'warn') ?? answers[0] ?? ok(KEYSPACE_EVENTS.none);
  },
};

async function ask({ connection, address }: PreflightNode, user: string): Promise<Answer> {
  const place = formatAddress(address);
  const flags = await configValue(connection, 'notify-keyspace-events');
  if (flags === null) {
    const tracking = await rightTo(connection, user, ['CLIENT', 'TRACKING', 'ON', 'BCAST']);
    return tracking === 'denied'
      ? warn(KEYSPACE_EVENTS.nothing(place, user), KEYSPACE_EVENTS.consoles(user))
      : warn(KEYSPACE_EVENTS.forbidden(place, user), KEYSPACE_EVENTS.consoles(user));
  }
  const { enough, missing } = judgeFlags(flags);
  if (enough) return ok(KEYSPACE_EVENTS.enough(place, flags));
  const mayNotSet = (await rightTo(connection, user, ['CONFIG', 'SET', 'notify-keyspace-events', 'AE'])) === 'denied';
  const needed = sufficientFlags(flags);
  return warn(
    KEYSPACE_EVENTS.lacking(place, flags, missing),
    mayNotSet ? KEYSPACE_EVENTS.consoles(user) : KEYSPACE_EVENTS.press(needed),
  );
}
