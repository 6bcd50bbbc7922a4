// A text stream cut into lines, whatever pieces it comes in.

/** Thrown when a line gets longer than its reader allows. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

/** Gathers pieces of text and gives out whole lines. Holds at most `longest` characters of an unfinished one. */
export class LineCutter {
  readonly #longest: number;
  #pieces: string[] = [];
  #held = 0;

  constructor(longest: number) {
    this.#longest = longest;
  }

  /** The lines that `piece` completes, without their ends. @throws LineTooLong */
  take(piece: string): readonly string[] {
    const parts = piece.split('\n');
    const last = parts.pop() ?? '';
    const lines = parts.map((part, index) => (index === 0 ? this.#finish(part) : part));
    this.#held += last.length;
    if (this.#held > this.#longest || lines.some((line) => line.length > this.#longest)) {
      throw new LineTooLong(`A line is longer than ${this.#longest} characters.`);
    }
    if (last !== '') this.#pieces.push(last);
    return lines;
  }

  #finish(part: string): string {
    const line = this.#pieces.join('') + part;
    this.#pieces = [];
    this.#held = 0;
    return line;
  }
}
