// A target that is older than the source does not know all its value formats.
import { acceptedVersions } from '../../rdb/payload-version.ts';
import { ok, warn } from '../answers.ts';
import type { Check } from '../check.ts';
import { QUESTIONS, VERSIONS } from '../sentences.ts';

export const versions: Check = {
  id: 'versions',
  question: QUESTIONS.versions,
  async run({ source, target }) {
    const from = source.topology.version;
    const to = target.topology.version;
    // A server writes the newest version that it also takes.
    const written = acceptedVersions(from);
    const taken = acceptedVersions(to);
    const [theirs, limit] =
      written.valkey > 0 ? [written.valkey, taken.valkey || taken.redis] : [written.redis, taken.redis];
    if (theirs <= limit) return ok(VERSIONS.ok(from.text, to.text));
    return warn(VERSIONS.newer(from.text, theirs, to.text, limit), VERSIONS.remedy);
  },
};
