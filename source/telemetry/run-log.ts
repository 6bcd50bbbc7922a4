// The run's log file: every notice and every refusal as one JSON line, so that nothing is lost when the screen scrolls
// or the session dies. Never written to stdout.
import { pino } from 'pino';
import type { Notice, Refusal } from '../engine/contract.ts';

export interface RunLog {
  notice(notice: Notice): void;
  refusals(refusals: readonly Refusal[]): void;
  /** Writes out what is buffered; call before the process ends. */
  close(): void;
}

const PINO_LEVEL = { info: 'info', warn: 'warn', error: 'error' } as const;

/** @param file created when missing, appended to otherwise, readable by its owner only. */
export function openRunLog(file: string, level: string): RunLog {
  const destination = pino.destination({ dest: file, sync: true, mkdir: true, mode: 0o600 });
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    notice: ({ level: noticeLevel, shard, message }) => logger[PINO_LEVEL[noticeLevel]]({ shard }, message),
    refusals: (refusals) => {
      for (const refusal of refusals) logger.warn(refusal, 'refused');
    },
    close: () => destination.flushSync(),
  };
}
