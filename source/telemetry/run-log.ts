// The run's log file: every notice and every refusal as one JSON line, so that nothing is lost when the screen scrolls
// or the session dies. Never written to stdout.
import { pino } from 'pino';
import type { Notice } from '../engine/contract/notice.ts';
import type { Refusal } from '../engine/contract/result.ts';
import { type KeyNames, refusalWithoutKeys, withoutKeys } from './hidden-keys.ts';
import { LogFile } from './log-file.ts';

export interface RunLogOptions {
  /** The least important messages that are logged. */
  readonly level: string;
  readonly keys: KeyNames;
  /** The file can not be written, told once as a sentence; null: it can again. */
  readonly trouble: (sentence: string | null) => void;
}

export interface RunLog {
  notice(notice: Notice): void;
  refusals(refusals: readonly Refusal[]): void;
  /** Writes out what waits; call before the process ends. */
  close(): void;
}

const PINO_LEVEL = { info: 'info', warn: 'warn', error: 'error' } as const;

/**
 * @param file created when missing, appended to otherwise, readable by its owner only.
 * @throws FerryError when it cannot be opened.
 */
export function openRunLog(file: string, { level, keys, trouble }: RunLogOptions): RunLog {
  const destination = new LogFile({ path: file, trouble });
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  const hidden = keys === 'hash';
  return {
    notice: ({ level: noticeLevel, shard, message }) =>
      logger[PINO_LEVEL[noticeLevel]]({ shard }, hidden ? withoutKeys(message) : message),
    refusals: (refusals) => {
      for (const refusal of refusals) logger.warn(hidden ? refusalWithoutKeys(refusal) : refusal, 'refused');
    },
    close: () => destination.close(),
  };
}
