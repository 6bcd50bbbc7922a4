// Where a JSON text stops being JSON. The runtime's own message has no position for most mistakes and its wording
// changes between releases, so the place is found here; RFC 8259.

export interface JsonMistake {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly expected: string;
}

/** Control characters cannot stand in a string as they are; those above them can, but for quote and backslash. */
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

/** The first mistake, or null when the text is sound. */
export function findJsonMistake(text: string): JsonMistake | null {
  const scanner = new Scanner(text);
  try {
    scanner.document();
    return null;
  } catch (thrown) {
    if (!(thrown instanceof Unexpected)) throw thrown;
    const before = text.slice(0, thrown.at).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, expected: thrown.expected };
  }
}

class Unexpected extends Error {
  readonly at: number;
  readonly expected: string;

  constructor(at: number, expected: string) {
    super(expected);
    this.at = at;
    this.expected = expected;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value();
    if (this.#at < this.#text.length) throw new Unexpected(this.#at, 'nothing more after the value');
  }

  #value(): void {
    this.#skip(SPACE);
    if (this.#take('{')) this.#members();
    else if (this.#take('[')) this.#elements();
    else if (!this.#skip(STRING) && !this.#skip(NUMBER) && !this.#skip(WORD)) {
      throw new Unexpected(this.#at, this.#text[this.#at] === '"' ? 'the string to be closed on its line' : 'a value');
    }
    this.#skip(SPACE);
  }

  #members(): void {
    this.#skip(SPACE);
    if (this.#take('}')) return;
    do {
      this.#skip(SPACE);
      if (!this.#skip(STRING)) throw new Unexpected(this.#at, 'a name in double quotes');
      this.#skip(SPACE);
      if (!this.#take(':')) throw new Unexpected(this.#at, 'a colon');
      this.#value();
    } while (this.#take(','));
    if (!this.#take('}')) throw new Unexpected(this.#at, 'a comma or }');
  }

  #elements(): void {
    this.#skip(SPACE);
    if (this.#take(']')) return;
    do this.#value();
    while (this.#take(','));
    if (!this.#take(']')) throw new Unexpected(this.#at, 'a comma or ]');
  }

  #take(sign: string): boolean {
    if (this.#text[this.#at] !== sign) return false;
    this.#at++;
    return true;
  }

  /** Moves over what the sticky pattern matches; false when that is nothing. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }
}
