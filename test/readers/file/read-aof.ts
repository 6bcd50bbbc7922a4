// Reads an AOF in memory to its end and notes what came, command by command.
import { ByteWindow } from '../../../source/readers/byte-window.ts';
import type { AofEnd } from '../../../source/readers/file/aof-end.ts';
import { AofStream } from '../../../source/readers/file/aof-stream.ts';
import type { StreamParser } from '../../../source/readers/stream-parser.ts';
import { MemoryFiles } from './memory-files.ts';

export interface ReadAof {
  /** Each command's arguments, latin1; 'file', 'preamble' and 'oversized' stand as they came. */
  readonly events: readonly (readonly string[] | 'file' | 'preamble' | 'oversized')[];
  readonly end: AofEnd;
  readonly timestampMs: number | null;
}

export interface ReadAofOptions {
  readonly pieceBytes?: number;
  readonly untilMs?: number | null;
  readonly commandBytes?: number;
  /** Length of the RDB that each file with one begins with. */
  readonly preambleBytes?: number;
}

export function readAof(files: readonly Buffer[], options: ReadAofOptions = {}): ReadAof {
  const window = new ByteWindow();
  const memory = new MemoryFiles(files, options.pieceBytes ?? 1 << 20);
  const aof = new AofStream(window, memory, { commandBytes: options.commandBytes ?? 1 << 28 }, options.untilMs ?? null);
  const events: ReadAof['events'][number][] = [];
  for (;;) {
    const status = aof.next();
    switch (status) {
      case 'command':
        events.push(argumentsOf(aof.parser));
        break;
      case 'hungry':
        window.fill(memory);
        break;
      case 'preamble':
        events.push('preamble');
        takePreamble(window, memory, aof, options.preambleBytes ?? 0);
        break;
      case 'end':
        if (aof.end === null) throw new Error('it ended without a word');
        return { events, end: aof.end, timestampMs: aof.timestampMs };
      default:
        events.push(status);
    }
  }
}

function takePreamble(window: ByteWindow, memory: MemoryFiles, aof: AofStream, length: number): void {
  while (window.length < length && !memory.fileDone) window.fill(memory);
  if (window.length < length) aof.endInPreamble(null);
  else window.start += length;
}

export function argumentsOf({ bytes, offsets, lengths, count }: StreamParser): string[] {
  return Array.from({ length: count }, (_, i) => {
    const start = offsets[i] ?? 0;
    return bytes.toString('latin1', start, start + (lengths[i] ?? 0));
  });
}
