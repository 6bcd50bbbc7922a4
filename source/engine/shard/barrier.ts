// Work that must happen between two stretches of the stream: everything before it applied, nothing behind it begun.

export class Barrier {
  #work: (() => Promise<void>)[] = [];
  /** What was added is being done. */
  running = false;

  /** Nothing may be taken from the source now. */
  get closed(): boolean {
    return this.#work.length > 0 || this.running;
  }

  add(work: () => Promise<void>): void {
    this.#work.push(work);
  }

  /** Does what was added, in order; call it when everything before is applied, and not while it is at work. */
  async run(): Promise<void> {
    this.running = true;
    try {
      for (let work = this.#work.shift(); work !== undefined; work = this.#work.shift()) await work();
    } finally {
      this.running = false;
    }
  }
}
