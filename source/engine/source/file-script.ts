// What a file holds, in the order in which it is read: a snapshot (RDB, JSON lines), or an AOF, which is commands behind
// a snapshot or without one, from one or several files.

import { ExpiryRewriter } from '../../protocol/absolute-expiry.ts';
import { isOwnCommand } from '../../protocol/own-names.ts';
import type { AofEnd } from '../../readers/file/aof-end.ts';
import { AofStream } from '../../readers/file/aof-stream.ts';
import type { FileFeed } from '../../readers/file/file-feed.ts';
import { JsonlParser } from '../../readers/jsonl-parser.ts';
import { type ParseStatus, SnapshotParser } from '../../readers/snapshot-parser.ts';
import { StreamHistory } from '../../readers/stream-history.ts';
import { FerryError } from '../errors.ts';
import type { FileOrigin } from '../run/shard-job.ts';
import type { PumpScript, ScriptParts } from '../shard/pump-script.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import { AbsoluteCommands } from '../target/absolute-commands.ts';
import { OwnedKeysSink } from '../target/owned-keys-sink.ts';

/** `settling`: the snapshot is written and its last replies are awaited. `done`: nothing more comes. */
type Phase = 'snapshot' | 'settling' | 'commands' | 'done';

/** What reads a snapshot off the window. */
interface SnapshotReader {
  parse(): ParseStatus;
  /** The file holds no more bytes. @throws FerryError when it ends too early. */
  inputEnded(): ParseStatus;
}

export interface FileScriptParts extends ScriptParts {
  readonly bytes: FileFeed;
}

export class FileScript implements PumpScript {
  streamPosition = 0;
  readonly #parts: FileScriptParts;
  readonly #snapshotApplied: () => void;
  readonly #format: FileOrigin['format'];
  readonly #aof: AofStream | null;
  readonly #history: StreamHistory;
  #reader: SnapshotReader | null = null;
  #commands: CommandTaker | null = null;
  #failure: FerryError | null = null;
  #phase: Phase;
  /** A snapshot was applied, or there is none before the commands. */
  #inStream = false;

  /** @param snapshotApplied the last reply to the snapshot is in, or there is none. */
  constructor(origin: FileOrigin, parts: FileScriptParts, snapshotApplied: () => void) {
    this.#parts = parts;
    this.#format = origin.format;
    this.#snapshotApplied = snapshotApplied;
    this.#history = new StreamHistory(parts.bytes, { bytes: 0, needed: () => parts.settledPosition() });
    this.#aof = origin.format === 'aof' ? this.#makeAof(origin) : null;
    this.#phase = this.#aof === null ? 'snapshot' : 'commands';
  }

  get unread(): number {
    return this.#history.size;
  }

  get historyStart(): number {
    return this.#history.start;
  }

  rewind(position: number): void {
    this.#history.rewind(position);
    this.#parts.window.reset(position);
    this.#aof?.rewind();
    this.#phase = 'commands';
  }

  get inStream(): boolean {
    return this.#inStream && this.#phase !== 'snapshot';
  }

  get settling(): boolean {
    return this.#phase === 'settling';
  }

  get finished(): boolean {
    return this.#phase === 'done';
  }

  /** What is wrong with the file: what stands before it is applied all the same. */
  get failure(): FerryError | null {
    return this.#failure ?? this.#aof?.end?.error ?? null;
  }

  /** The file can not be read on. */
  fail(error: FerryError): void {
    this.#failure ??= error;
    this.#parts.target.commands.discardBlock();
    this.#phase = 'done';
  }

  /** How an AOF ended; null before, and for what is none. */
  get aofEnd(): AofEnd | null {
    return this.#aof?.end ?? null;
  }

  settled(): void {
    const { window, target } = this.#parts;
    this.#phase = this.#aof === null ? 'done' : 'commands';
    this.#beginStream();
    this.streamPosition = window.position;
    target.commands.database = 0;
  }

  step(): boolean {
    try {
      if (this.#phase === 'snapshot') return this.#stepSnapshot();
      if (this.#phase === 'commands') return this.#stepCommands();
    } catch (error) {
      if (!(error instanceof FerryError)) throw error;
      this.fail(error);
    }
    return false;
  }

  #makeAof(origin: FileOrigin): AofStream {
    const { window, target, bytes, valueBytes } = this.#parts;
    const history = this.#history;
    const files = {
      /** Not before everything has taken effect: what a file holds can be played again only until the next begins. */
      get fileDone(): boolean {
        return bytes.fileDone && !history.replaying && target.idle;
      },
      get onLastFile(): boolean {
        return bytes.onLastFile;
      },
      nextFile: () => bytes.nextFile(),
      segmentAt: (position: number) => bytes.segmentAt(position),
    };
    return new AofStream(window, files, { commandBytes: valueBytes }, origin.untilMs);
  }

  #stepSnapshot(): boolean {
    this.#reader ??= this.#makeReader();
    let status = this.#reader.parse();
    if (status === 'hungry') {
      if (this.#fill()) return true;
      if (!this.#parts.bytes.fileDone) return false;
      status = this.#reader.inputEnded();
    }
    if (status !== 'end') return false;
    this.#reader = null;
    this.#parts.handedOver();
    this.#phase = 'settling';
    return false;
  }

  #makeReader(): SnapshotReader {
    const { window, target, valueBytes, bytes, handedOver, leftOut } = this.#parts;
    const sink = new OwnedKeysSink(target.sink, null, handedOver, leftOut);
    if (this.#format === 'jsonl') {
      const lines = new JsonlParser(window, sink);
      return {
        parse: () => lines.parse(),
        inputEnded: () => {
          lines.inputEnded();
          return lines.parse();
        },
      };
    }
    const parser = new SnapshotParser(window, sink, { valueBytes });
    return {
      parse: () => parser.parse(),
      inputEnded: () => {
        if (this.#aof !== null) {
          this.#aof.endInPreamble(null);
          return 'end';
        }
        const { file, offset } = bytes.segmentAt(window.position);
        throw new FerryError(
          `${file} ends in the middle, at byte ${offset + window.length}: everything before was read, and the rest is missing.`,
          { code: 'rdb' },
        );
      },
    };
  }

  #stepCommands(): boolean {
    const { target, barrier } = this.#parts;
    const aof = this.#aof;
    if (aof === null) return false;
    this.#commands ??= target.setTakesExpiry
      ? target.commands
      : new AbsoluteCommands(
          target.commands,
          new ExpiryRewriter({ setTakesExpiry: false }),
          () => aof.timestampMs ?? Date.now(),
        );
    const commands = this.#commands;
    for (;;) {
      if (target.saturated) return false;
      const status = aof.next();
      if (status === 'preamble') return this.#beginSnapshot();
      if (!this.#inStream) this.#beginStream();
      switch (status) {
        case 'command':
          if (isOwnCommand(aof.parser)) this.#parts.leftOut();
          else commands.handle(aof.parser);
          break;
        case 'oversized':
          commands.oversized(aof.parser);
          break;
        case 'file':
          commands.database = 0;
          this.#record();
          break;
        case 'hungry':
          return this.#fill();
        case 'end':
          commands.discardBlock();
          this.#parts.handedOver();
          this.#phase = 'done';
          return false;
      }
      // Inside a MULTI block no position is one to go on from.
      if (!commands.insideBlock) this.#parts.handedOver();
      if (barrier.closed) return false;
    }
  }

  #beginSnapshot(): boolean {
    this.#inStream = false;
    this.#parts.target.setKind('snapshot');
    this.#phase = 'snapshot';
    return true;
  }

  #beginStream(): void {
    this.#inStream = true;
    this.#parts.target.setKind('stream');
    this.#record();
    this.#snapshotApplied();
  }

  /** What is read from here on can be played again. */
  #record(): void {
    const { window } = this.#parts;
    this.#history.begin(window.position, window.bytes.subarray(window.start, window.end));
  }

  #fill(): boolean {
    return this.#parts.window.fill(this.#history) > 0;
  }
}
