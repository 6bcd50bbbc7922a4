// What comes over a replication link: a snapshot, the mark behind a diskless one, and then the stream without an end.
import { isOwnCommand } from '../../protocol/own-names.ts';
import { MARK_BYTES, type SnapshotFrame } from '../../readers/psync-framing.ts';
import { SnapshotParser } from '../../readers/snapshot-parser.ts';
import type { SnapshotSink } from '../../readers/snapshot-sink.ts';
import { StreamHistory } from '../../readers/stream-history.ts';
import { StreamParser } from '../../readers/stream-parser.ts';
import { FerryError } from '../errors.ts';
import type { PumpScript, ScriptParts } from '../shard/pump-script.ts';
import type { CommandTaker } from '../shard/shard-target.ts';

/** What is read next. `settling`: the snapshot is written and its last replies are awaited. */
type Phase = 'snapshot' | 'mark' | 'settling' | 'stream';

export class ReplicationScript implements PumpScript {
  /** Set when the source has framed its snapshot. */
  frame: SnapshotFrame | null = null;
  streamPosition = 0;
  /** A source goes on for ever; the person ends it. */
  readonly finished = false;
  readonly #parts: ScriptParts;
  readonly #sinkOf: (sink: SnapshotSink) => SnapshotSink;
  readonly #commandsOf: (target: CommandTaker) => CommandTaker;
  readonly #snapshotApplied: () => void;
  #commands: CommandTaker | null = null;
  #snapshot: SnapshotParser | null = null;
  readonly #stream: StreamParser;
  readonly #history: StreamHistory;
  #phase: Phase = 'snapshot';

  /**
   * @param sinkOf who takes the snapshot's keys, from who takes them in the end.
   * @param commandsOf who takes the stream's commands, from who takes them in the end; asked when the stream begins.
   * @param snapshotApplied the last reply to the snapshot is in.
   */
  constructor(
    parts: ScriptParts,
    sinkOf: (sink: SnapshotSink) => SnapshotSink,
    commandsOf: (target: CommandTaker) => CommandTaker,
    snapshotApplied: () => void,
  ) {
    this.#sinkOf = sinkOf;
    this.#parts = parts;
    this.#commandsOf = commandsOf;
    this.#snapshotApplied = snapshotApplied;
    this.#stream = new StreamParser(parts.window, { commandBytes: parts.valueBytes });
    this.#history = new StreamHistory(parts.bytes, {
      bytes: parts.historyBytes,
      needed: () => parts.settledPosition(),
    });
  }

  /** There is no snapshot: the stream goes on. The target is open. */
  resume(): void {
    this.#phase = 'stream';
    this.#history.begin(0, Buffer.alloc(0));
    this.#parts.target.setKind('stream');
  }

  get inStream(): boolean {
    return this.#phase === 'stream';
  }

  get settling(): boolean {
    return this.#phase === 'settling';
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
    this.#stream.restart();
  }

  settled(): void {
    const { window } = this.#parts;
    this.#phase = 'stream';
    this.#history.begin(window.position, window.bytes.subarray(window.start, window.end));
    this.#parts.target.setKind('stream');
    this.#snapshotApplied();
  }

  step(): boolean {
    switch (this.#phase) {
      case 'snapshot':
        return this.#stepSnapshot();
      case 'mark':
        return this.#stepMark();
      case 'settling':
        return false;
      case 'stream':
        return this.#stepStream();
    }
  }

  #stepSnapshot(): boolean {
    const { window, target, valueBytes } = this.#parts;
    // Not before: a target that is a file takes nothing until it is open.
    this.#snapshot ??= new SnapshotParser(window, this.#sinkOf(target.sink), { valueBytes });
    switch (this.#snapshot.parse()) {
      case 'blocked':
        return false;
      case 'end':
        this.#phase = 'mark';
        return true;
      case 'hungry':
        return this.#fill();
    }
  }

  /** Behind a diskless snapshot stands its mark: the walk and the receiver must agree on where it ends. */
  #stepMark(): boolean {
    const { window } = this.#parts;
    const mark = this.frame?.mark ?? null;
    if (mark !== null) {
      while (window.length < MARK_BYTES) if (!this.#fill()) return false;
      if (!window.bytes.subarray(window.start, window.start + MARK_BYTES).equals(mark)) throw this.#wrongEnd();
      window.start += MARK_BYTES;
    } else if (window.position !== this.frame?.bytes) {
      throw this.#wrongEnd();
    }
    this.#parts.handedOver();
    this.streamPosition = window.position;
    this.#phase = 'settling';
    return false;
  }

  #wrongEnd(): FerryError {
    return new FerryError(
      `The snapshot does not end where its source said (byte ${this.#parts.window.position}): what follows can not be trusted.`,
      { code: 'rdb' },
    );
  }

  #stepStream(): boolean {
    const { target, barrier } = this.#parts;
    this.#commands ??= this.#commandsOf(target.commands);
    const commands = this.#commands;
    for (;;) {
      if (target.saturated) return false;
      switch (this.#stream.next()) {
        case 'command':
          if (isOwnCommand(this.#stream)) this.#parts.leftOut();
          else commands.handle(this.#stream);
          break;
        case 'oversized':
          commands.oversized(this.#stream);
          break;
        case 'hungry':
          return this.#fill();
      }
      // Inside a MULTI block no position is one to go on from.
      if (!commands.insideBlock) this.#parts.handedOver();
      if (barrier.closed) return false;
    }
  }

  #fill(): boolean {
    return this.#parts.window.fill(this.#history) > 0;
  }
}
