// A terminal in memory for whole-screen tests: what the program writes goes through a real terminal emulator, so that rows,
// scrolling and the incremental path of Ink are seen as a person sees them.
import { PassThrough, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import xterm from '@xterm/headless';

/** How long a condition may take; generous, because a loaded machine is slow. */
const DEADLINE_MS = 10_000;
const LOOK_EVERY_MS = 5;

class FakeOutput extends Writable {
  readonly isTTY = true;
  columns: number;
  rows: number;
  bytesWritten = 0;
  /** While true nothing is taken, as by a frozen terminal. */
  isFrozen = false;
  readonly #onText: (text: string) => void;
  #held: (() => void) | null = null;

  constructor(columns: number, rows: number, onText: (text: string) => void) {
    super({ decodeStrings: false });
    this.columns = columns;
    this.rows = rows;
    this.#onText = onText;
  }

  override _write(chunk: string | Buffer, _encoding: BufferEncoding, done: () => void): void {
    const text = chunk.toString();
    this.bytesWritten += Buffer.byteLength(text);
    this.#onText(text);
    if (this.isFrozen) this.#held = done;
    else done();
  }

  /** Takes again what was held back. */
  thaw(): void {
    this.isFrozen = false;
    this.#held?.();
    this.#held = null;
  }
}

class FakeInput extends PassThrough {
  readonly isTTY = true;
  isRaw = false;

  setRawMode(isRaw: boolean): this {
    this.isRaw = isRaw;
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export interface FakeTerminal {
  readonly stdin: FakeInput;
  readonly stdout: FakeOutput;
  /** The lines that a person sees now, without blanks at their ends. */
  readonly screen: () => readonly string[];
  /** Types `keys` in one read. */
  readonly press: (keys: string) => void;
  /** Pastes as a terminal with bracketed paste does. */
  readonly paste: (text: string) => void;
  readonly resize: (columns: number, rows: number) => void;
  /** All that was written, with its escape sequences. */
  readonly raw: () => string;
  readonly isAlternate: () => boolean;
  /** Waits until the screen satisfies `condition`; fails with the screen's text when it never does. */
  readonly until: (what: string, condition: (screen: string) => boolean) => Promise<void>;
}

/** Opens a terminal of the given size. */
export const openTerminal = (columns: number, rows: number): FakeTerminal => {
  const emulator = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
  let raw = '';
  const stdout = new FakeOutput(columns, rows, (text) => {
    raw += text;
    // A real terminal's driver adds the carriage return.
    emulator.write(text.replaceAll('\n', '\r\n'));
  });
  const stdin = new FakeInput();

  const screen = (): readonly string[] => {
    const { active } = emulator.buffer;
    return Array.from(
      { length: emulator.rows },
      (_, row) => active.getLine(active.baseY + row)?.translateToString(true) ?? '',
    );
  };
  /** The emulator parses in its own time. */
  const parsed = (): Promise<void> => new Promise((resolve) => emulator.write('', resolve));

  return {
    stdin,
    stdout,
    screen,
    press: (keys) => stdin.write(keys),
    paste: (text) => stdin.write(`\x1b[200~${text}\x1b[201~`),
    resize: (newColumns, newRows) => {
      emulator.resize(newColumns, newRows);
      stdout.columns = newColumns;
      stdout.rows = newRows;
      stdout.emit('resize');
    },
    raw: () => raw,
    isAlternate: () => emulator.buffer.active.type === 'alternate',
    until: async (what, condition) => {
      const deadline = Date.now() + DEADLINE_MS;
      for (;;) {
        await parsed();
        const text = screen().join('\n');
        if (condition(text)) return;
        if (Date.now() > deadline) throw new Error(`Never came: ${what}. The screen is:\n${text}`);
        await sleep(LOOK_EVERY_MS);
      }
    },
  };
};
