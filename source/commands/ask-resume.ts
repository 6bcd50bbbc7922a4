// A person at a terminal is asked what to do with an unfinished run before the screen opens. Only what stands on this machine
// is looked at: what only the target remembers is told by a refusal (open-checkpoints.ts).
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { readShardState } from '../checkpoint/state-store.ts';
import { runsGoingOn } from '../control/choose-run.ts';
import { runsFolder } from '../control/run-registry.ts';
import { EXIT, FerryError } from '../engine/errors.ts';
import { formatDateTime } from '../ui/format.ts';
import type { Language } from '../ui/messages.ts';
import { messagesFor } from '../ui/messages.ts';
import { migrationFolder, type ResumeChoice } from './open-checkpoints.ts';
import { readLeftScan } from './scan-left.ts';

export interface ResumeQuestion {
  readonly names: { readonly source: string; readonly target: string };
  readonly language: Language;
}

/**
 * @returns null when the person wants neither.
 * @throws FerryError for a state that can not be read, and when that run is going on.
 */
export async function askResume({ names, language }: ResumeQuestion): Promise<ResumeChoice | null> {
  const folder = await migrationFolder(names);
  const files = await readdir(folder);
  const shard = files.map((file) => /^(shard-\d+)\.json$/.exec(file)?.[1]).find((name) => name !== undefined);
  const state = shard === undefined ? await readLeftScan(folder, null) : await readShardState(folder, shard);
  if (state === null) return 'ask';
  const living = await runsGoingOn(runsFolder(process.env, homedir()));
  if (living.some(({ run }) => run === state.run)) {
    throw new FerryError(
      `Run ${state.run} of this migration is going on: redferry attach ${state.run} opens its screen, redferry ctl stop --run ${state.run} ends it.`,
      { code: 'lease', exitCode: EXIT.preflight },
    );
  }
  const { resume: words } = messagesFor(language);
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    process.stdout.write(`${words.found(state.run, formatDateTime(Date.parse(state.savedAt)))}\n`);
    for (;;) {
      const answer = (await lines.question(words.question)).trim().toLowerCase();
      if (answer === 'r') return 'resume';
      if (answer === 'f') return 'fresh';
      if (answer === 'q' || answer === '') return null;
    }
  } finally {
    lines.close();
  }
}
