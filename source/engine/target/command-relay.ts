// A place on the stream's way to a target that passes everything on. What looks at commands there takes its place and
// overrides what it looks at.
import { ByteWindow } from '../../readers/byte-window.ts';
import { StreamParser } from '../../readers/stream-parser.ts';
import type { CommandTaker } from '../shard/shard-target.ts';

export class CommandRelay implements CommandTaker {
  /** The next place on the way. */
  protected readonly inner: CommandTaker;

  constructor(inner: CommandTaker) {
    this.inner = inner;
  }

  get insideBlock(): boolean {
    return this.inner.insideBlock;
  }

  get database(): number {
    return this.inner.database;
  }

  set database(database: number) {
    this.inner.database = database;
  }

  handle(command: StreamParser): void {
    this.inner.handle(command);
  }

  inject(command: StreamParser): void {
    this.inner.inject(command);
  }

  oversized(command: StreamParser): void {
    this.inner.oversized(command);
  }

  discardBlock(): void {
    this.inner.discardBlock();
  }
}

/** One encoded command as the parser gives it. */
export function readCommand(bytes: Buffer): StreamParser {
  const parser = new StreamParser(new ByteWindow(bytes), { commandBytes: bytes.length });
  parser.next();
  return parser;
}
