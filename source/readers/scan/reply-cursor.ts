// Walks over the replies of one request (RESP2), from head to head. The caller knows what it asked for, and in which order.
import { FerryError } from '../../engine/errors.ts';

const CR = 13;
const MINUS = 45;
const ZERO = 48;

export class ReplyCursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** First byte of the reply whose head was read last: `+`, `-`, `:`, `$` or `*`. */
  kind = 0;
  /** Its number: an integer, a bulk's length, an array's count; -1 for a null. */
  number = 0;
  /** Where its line's text begins and ends, or a bulk's body. */
  start = 0;
  end = 0;

  begin(bytes: Buffer): void {
    this.bytes = bytes;
    this.at = 0;
  }

  /** Reads a head, and of a bulk its body; of an array the elements come next. */
  next(): void {
    const { bytes } = this;
    this.kind = bytes[this.at] as number;
    let at = this.at + 1;
    this.start = at;
    const negative = this.kind !== MINUS && bytes[at] === MINUS;
    if (negative) at++;
    let value = 0;
    for (; bytes[at] !== CR; at++) value = value * 10 + (bytes[at] as number) - ZERO;
    this.end = at;
    this.number = negative ? -value : value;
    this.at = at + 2;
    if (this.kind !== BULK || negative) return;
    this.start = this.at;
    this.end = this.start + value;
    this.at = this.end + 2;
  }

  get isError(): boolean {
    return this.kind === MINUS;
  }

  get isNull(): boolean {
    return (this.kind === BULK || this.kind === ARRAY) && this.number < 0;
  }

  text(): string {
    return this.bytes.toString('latin1', this.start, this.end);
  }

  /** Passes over `count` replies that only say that they were taken. @throws FerryError for an error among them. */
  pass(count: number): void {
    for (let i = 0; i < count; i++) {
      this.next();
      if (this.isError) throw new SourceRefusal(this.text());
    }
  }
}

export const BULK = 36;
export const ARRAY = 42;

/** The source refused a command that reads. */
export class SourceRefusal extends FerryError {
  readonly reply: string;

  constructor(reply: string) {
    super(
      `The source refused to be read (${reply}): grant the user of the source the rights that docs/scan.md lists.`,
      {
        code: 'source-refused',
        retriable: /^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)/.test(reply),
      },
    );
    this.reply = reply;
  }
}
