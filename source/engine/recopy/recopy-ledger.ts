// Which keys are to be copied again, who asked for that, and how far each has come: it waits to be fetched, its value is
// written, the target has answered for it. Holds no value and asks nobody.

import type { RecopyCounts } from '../contract/command.ts';
import { type DatabaseKey, type WatchedKey, WatchedKeys } from './watched-keys.ts';

/** Something that was asked for, and is to be told of when the target has answered for all of it. */
export interface RecopyRequest {
  /** Keys without an end yet. */
  left: number;
  readonly counts: { rewritten: number; removed: number; failed: number };
  readonly done: (counts: RecopyCounts) => void;
}

/** A key whose commands are held back until it has its end. */
export type RecopyKey = WatchedKey<RecopyRequest>;

/** Of more keys than this the names are not kept, and a target that loses them has to be compared. */
const MOST_RECENT = 100_000;

export class RecopyLedger {
  readonly #watched = new WatchedKeys<RecopyRequest>();
  /** To be fetched, in this order; all of them are watched. */
  #waiting: RecopyKey[] = [];
  /** Every key has its end; the target has not answered for all of them yet. */
  #settling: RecopyRequest[] = [];
  /** Written, and the target has not answered for them for certain. */
  #written: { readonly key: RecopyKey; readonly how: 'rewritten' | 'removed' }[] = [];
  /** Answered for, at that offset; the target may lose them yet, as far back as the stream can be read again. */
  #recent: { readonly key: DatabaseKey; readonly offset: number }[] = [];

  /** Something is asked for or not answered for. */
  get busy(): boolean {
    return this.#watched.size > 0 || this.#settling.length > 0 || this.#written.length > 0;
  }

  /** Keys wait to be fetched. */
  get waiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Requests wait for the target's answer, and for nothing else. */
  get settling(): boolean {
    return this.#settling.length > 0;
  }

  /** Keys are written, and the target's answer was not waited for. */
  get written(): boolean {
    return this.#written.length > 0;
  }

  /** Whether a command that ends at this offset is held back for the key at bytes[start, start + length). */
  holds(database: number, bytes: Buffer, start: number, length: number, endOffset: number): boolean {
    return this.#watched.holds(database, bytes, start, length, endOffset);
  }

  isWatched(key: DatabaseKey): boolean {
    return this.#watched.isWatched(key);
  }

  /** A request of so many parts; `done` is told of it. One without any waits for the target's answer at once. */
  open(parts: number, done: (counts: RecopyCounts) => void): RecopyRequest {
    const request = { left: parts, counts: { rewritten: 0, removed: 0, failed: 0 }, done };
    if (parts === 0) this.#settling.push(request);
    return request;
  }

  /** These keys are to be copied again. @param request whose part that is, if anybody's. */
  watch(keys: readonly DatabaseKey[], request: RecopyRequest | null): void {
    for (const key of keys) {
      const watched = this.#watched.watch(key, request);
      if (watched !== null) this.#waiting.push(watched);
    }
  }

  /** What is watched in one of two databases that changed places has its old value in the other from now on. */
  swapped(one: number, other: number): void {
    const keys = this.#watched.all().filter(({ database }) => database === one || database === other);
    this.watch(
      keys.map(({ database, key }) => ({ database: database === one ? other : one, key })),
      null,
    );
  }

  /** Takes out those that have waited longest. */
  take(most: number): RecopyKey[] {
    return this.#waiting.splice(0, most);
  }

  /** They were taken out and not fetched: they wait again, before the others. */
  putBack(keys: readonly RecopyKey[]): void {
    this.#waiting.unshift(...keys);
  }

  /** What takes the key's place on the target is sent. */
  wrote(key: RecopyKey, how: 'rewritten' | 'removed'): void {
    this.#written.push({ key, how });
    this.#finished(key, how);
  }

  /** It is not copied again. */
  failed(key: RecopyKey): void {
    this.#finished(key, 'failed');
  }

  /** One of the request's parts has its end. */
  ended(request: RecopyRequest): void {
    if (--request.left === 0) this.#settling.push(request);
  }

  /** The requests of which nothing is left but the target's answer, once. */
  takeSettling(): readonly RecopyRequest[] {
    return this.#settling.splice(0);
  }

  /** The target has answered for all that was written: it is kept while the stream can be read again from before it. */
  answered(offset: number, historyOffset: number): void {
    const answered = this.#written.splice(0).map(({ key }) => ({ key, offset }));
    this.#recent = [...this.#recent.filter((recent) => recent.offset > historyOffset), ...answered].slice(-MOST_RECENT);
  }

  /** The stream is read again from this offset: what was written since then may be lost, and is copied once more. */
  rewound(offset: number): void {
    for (const { key, how } of this.#written.splice(0)) {
      for (const request of key.askers) {
        request.counts[how]--;
        request.left++;
        this.#settling = this.#settling.filter((each) => each !== request);
        this.watch([key], request);
      }
      if (key.askers.length === 0) this.watch([key], null);
    }
    const lost = this.#recent.filter((recent) => recent.offset > offset);
    this.watch(
      lost.map(({ key }) => key),
      null,
    );
  }

  /** The target has refused a value that was written last. */
  refused(): void {
    const request = this.#settling.at(-1) ?? this.#waiting[0]?.askers[0];
    if (request === undefined || request.counts.rewritten === 0) return;
    request.counts.rewritten--;
    request.counts.failed++;
  }

  /** Nothing more becomes of them: what is left of these requests, and of those of `others`, counts as failed. */
  abandon(others: readonly RecopyRequest[]): void {
    const requests = new Set([...this.#settling, ...this.#watched.all().flatMap(({ askers }) => askers), ...others]);
    for (const { left, counts, done } of requests) done({ ...counts, failed: counts.failed + left });
  }

  #finished(key: RecopyKey, how: keyof RecopyCounts): void {
    this.#watched.unwatch(key);
    for (const request of key.askers) {
      request.counts[how]++;
      this.ended(request);
    }
  }
}
