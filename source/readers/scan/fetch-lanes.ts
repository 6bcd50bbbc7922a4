// The lanes on which keys travel from the source: each key has one, by its hash, and a lane does one list at a time from the
// fetch to the target's writer. So of two fetches of a key the later one is written later, whoever asked for them.
import type { FetchedValues } from './fetched-values.ts';
import { KeyList } from './key-list.ts';
import type { SourceLink } from './source-link.ts';
import type { ValueFetcher } from './value-fetcher.ts';

export interface LanesHost {
  /** The values are the host's until the promise resolves. */
  deliver(lane: FetchLane, values: FetchedValues): Promise<void>;
  /** A lane can take more. */
  relieved(): void;
  /** A lane's link can not go on; what it was about is fetched again when it is given another. */
  failed(error: unknown): void;
}

/** Lists that wait in a lane, beside the one that is filled. */
const MOST_LISTS = 2;

export class FetchLane {
  link: SourceLink | null = null;
  readonly #fetcher: ValueFetcher;
  readonly #host: LanesHost;
  readonly #waiting: KeyList[] = [];
  readonly #spare: KeyList[] = [];
  #filling: KeyList | null = null;
  #current: KeyList | null = null;
  #running = false;

  constructor(fetcher: ValueFetcher, host: LanesHost) {
    this.#fetcher = fetcher;
    this.#host = host;
  }

  get idle(): boolean {
    return this.#current === null && this.#waiting.length === 0 && this.#filling === null;
  }

  /** A whole list waits behind the one that is fetched. */
  get busy(): boolean {
    return this.#waiting.length > 0;
  }

  get full(): boolean {
    return this.#waiting.length >= MOST_LISTS;
  }

  /** Keys that are on their way. */
  get keys(): number {
    const listed = this.#waiting.reduce((sum, list) => sum + list.count, 0);
    return listed + (this.#filling?.count ?? 0) + (this.#current?.count ?? 0);
  }

  add(database: number, isChange: boolean, bytes: Buffer, start: number, length: number): void {
    let list = this.#filling;
    if (list !== null && (list.full || list.database !== database || list.isChange !== isChange)) {
      this.#waiting.push(list);
      list = null;
    }
    if (list === null) {
      list = this.#spare.pop() ?? new KeyList();
      list.begin(database, isChange);
      this.#filling = list;
    }
    list.add(bytes, start, length);
  }

  /** Fetches what there is, a list that is not full too. */
  run(): void {
    if (this.#running || this.link === null) return;
    this.#running = true;
    const { link } = this;
    void this.#loop(link).then(
      () => {
        this.#running = false;
        // What was added since the loop found nothing more.
        if (!this.idle) this.run();
      },
      (error: unknown) => {
        this.#running = false;
        // A link that was taken away has failed before, and another may be here already.
        if (this.link === link) this.#host.failed(error);
        else this.run();
      },
    );
  }

  async #loop(link: SourceLink): Promise<void> {
    for (let list = this.#next(); list !== null; list = this.#next()) {
      await this.#fetcher.fetch(link, list, (values) => this.#host.deliver(this, values));
      this.#current = null;
      this.#spare.push(list);
      this.#host.relieved();
    }
  }

  #next(): KeyList | null {
    if (this.#current === null) {
      this.#current = this.#waiting.shift() ?? this.#filling;
      if (this.#current === this.#filling) this.#filling = null;
    }
    return this.#current;
  }
}
