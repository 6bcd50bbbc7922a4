// The keys that `ignore` has left on the target as they are: the stream must not touch them. As 64-bit hashes of database
// and key in a file of pages, like a hash table, so that there may be any number of them in constant memory: 1 MiB of bits
// tells almost every other key without a look at the file. A collision (one in 10^13 for a million kept keys and a key
// asked for) would drop the commands of a key that is not kept.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { FerryError, messageOf } from '../engine/errors.ts';

const PAGE_BYTES = 4096;
/** Low and high half of a hash in turn; 0 and 0 is an empty place. */
const PAGE_WORDS = PAGE_BYTES / 4;
const PAGE_HASHES = PAGE_WORDS / 2;
const FIRST_PAGES = 16;
/** Filled above this the table grows to twice its size: a page that is full would come soon. */
const MOST_FILLED = 0.7;
const FILTER_BITS = 8 * 1024 * 1024;

export class KeptKeys {
  /** How many there are. */
  size = 0;
  readonly #directory: string;
  readonly #name: string;
  readonly #path: string | null;
  /** Two bits for each key; those of keys that have been let go stay. Made with the first key. */
  #filter: Uint32Array | null = null;
  #file: number | null = null;
  #pages = FIRST_PAGES;
  readonly #page = new Uint32Array(PAGE_WORDS);
  /** Of the key that was asked for last. */
  #low = 0;
  #high = 0;

  /**
   * @param directory for the file, which is made with the first key and is gone with the process.
   * @param path of a file that outlasts the process instead; null for none.
   */
  constructor(directory: string, name: string, path: string | null = null) {
    this.#directory = path === null ? directory : dirname(path);
    this.#name = name;
    this.#path = path;
  }

  /** Takes up what an earlier process has left in its file; without one nothing was kept. @throws FerryError `spool` */
  restore(): void {
    const path = this.#path;
    if (path === null || !existsSync(path)) return;
    this.#attempt(() => {
      this.#filter = new Uint32Array(FILTER_BITS / 32);
      this.#file = openSync(path, 'r+');
      this.#pages = Math.max(FIRST_PAGES, fstatSync(this.#file).size / PAGE_BYTES);
      for (let page = 0; page < this.#pages; page++) {
        this.#read(page);
        this.#countPage(this.#filter);
      }
    });
  }

  /** Nothing is kept, whatever an earlier process has left. @throws FerryError `spool` */
  forget(): void {
    const path = this.#path;
    this.close();
    if (path === null) return;
    this.#attempt(() => {
      for (const each of [path, replacementOf(path)]) rmSync(each, { force: true });
    });
  }

  /** Whether the key is kept: for almost all that are not, two looks into memory. @throws FerryError `spool` */
  has(database: number, bytes: Uint8Array, start: number, length: number): boolean {
    const filter = this.#filter;
    if (this.size === 0 || filter === null) return false;
    this.#hash(database, bytes, start, length);
    if (!this.#mayHave(filter)) return false;
    return this.#attempt(() => {
      this.#read(this.#pageOf());
      return this.#find(this.#low, this.#high) >= 0;
    });
  }

  /** @throws FerryError `spool` when the file can not be written. */
  add(database: number, key: Buffer): void {
    this.#hash(database, key, 0, key.length);
    this.#attempt(() => {
      if (this.#file === null) {
        this.#file = this.#create(this.#pages);
        this.#place();
      }
      if (this.size + 1 > this.#pages * PAGE_HASHES * MOST_FILLED) this.#grow();
      this.#put(this.#low, this.#high);
    });
  }

  /** The stream may touch it again. @returns whether it was kept. @throws FerryError `spool` */
  delete(database: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (!this.has(database, bytes, start, length)) return false;
    const place = this.#find(this.#low, this.#high);
    // The last of the page takes its place: a page has no gaps.
    const last = this.#find(0, 0) < 0 ? PAGE_WORDS - 2 : this.#find(0, 0) - 2;
    this.#page[place] = this.#page[last] as number;
    this.#page[place + 1] = this.#page[last + 1] as number;
    this.#page[last] = 0;
    this.#page[last + 1] = 0;
    this.#attempt(() => this.#write(this.#pageOf()));
    this.size--;
    return true;
  }

  /** What was added outlives a loss of power from now on. @throws FerryError `spool` */
  sync(): void {
    const file = this.#file;
    if (file !== null) this.#attempt(() => fsyncSync(file));
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    this.#filter = null;
    this.size = 0;
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new FerryError(
        `The list of keys that are kept can not stand in ${this.#directory} (${messageOf(error)}): make room there, or name another limits.spoolDirectory.`,
        { code: 'spool', cause: error },
      );
    }
  }

  #countPage(filter: Uint32Array): void {
    for (let at = 0; at < PAGE_WORDS; at += 2) {
      const low = this.#page[at] as number;
      const high = this.#page[at + 1] as number;
      if (low === 0 && high === 0) return;
      setBit(filter, low);
      setBit(filter, high);
      this.size++;
    }
  }

  /** In the place of the file that outlasts the process; only whole: its size says how many pages it has. */
  #createLasting(path: string, pages: number): number {
    const made = replacementOf(path);
    rmSync(made, { force: true });
    const file = openSync(made, 'wx+', 0o600);
    ftruncateSync(file, pages * PAGE_BYTES);
    return file;
  }

  /** Readable for nobody else; gone with the process unless it is to outlast it. */
  #create(pages: number): number {
    this.#filter ??= new Uint32Array(FILTER_BITS / 32);
    if (this.#path !== null) return this.#createLasting(this.#path, pages);
    const path = join(this.#directory, `${this.#name}-${process.pid}-${randomBytes(6).toString('hex')}.spool`);
    const file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return file;
  }

  /** Puts a hash that may be there already. */
  #put(low: number, high: number): void {
    const page = low & (this.#pages - 1);
    this.#read(page);
    if (this.#find(low, high) >= 0) return;
    const place = this.#find(0, 0);
    if (place < 0) {
      this.#grow();
      this.#put(low, high);
      return;
    }
    this.#page[place] = low;
    this.#page[place + 1] = high;
    this.#write(page);
    this.size++;
    const filter = this.#filter;
    if (filter === null) return;
    setBit(filter, low);
    setBit(filter, high);
  }

  /** Twice the pages in a new file: what stood in page p stands in p or in p + pages then. */
  #grow(): void {
    const former = this.#file;
    if (former === null) return;
    const pages = this.#pages;
    const file = this.#create(pages * 2);
    const halves = [new Uint32Array(PAGE_WORDS), new Uint32Array(PAGE_WORDS)] as const;
    for (let page = 0; page < pages; page++) {
      this.#read(page);
      const used = [0, 0];
      for (const half of halves) half.fill(0);
      for (let at = 0; at < PAGE_WORDS; at += 2) {
        const low = this.#page[at] as number;
        const high = this.#page[at + 1] as number;
        if (low === 0 && high === 0) break;
        const upper = (low & pages) === 0 ? 0 : 1;
        const place = used[upper] as number;
        halves[upper][place] = low;
        halves[upper][place + 1] = high;
        used[upper] = place + 2;
      }
      writeSync(file, halves[0], 0, PAGE_BYTES, page * PAGE_BYTES);
      writeSync(file, halves[1], 0, PAGE_BYTES, (page + pages) * PAGE_BYTES);
    }
    closeSync(former);
    this.#file = file;
    this.#pages = pages * 2;
    this.#place();
  }

  /** The file that was made takes its name. */
  #place(): void {
    if (this.#path !== null) renameSync(replacementOf(this.#path), this.#path);
  }

  #pageOf(): number {
    return this.#low & (this.#pages - 1);
  }

  #mayHave(filter: Uint32Array): boolean {
    return hasBit(filter, this.#low) && hasBit(filter, this.#high);
  }

  /** Where the hash stands in the page; -1 when it does not. */
  #find(low: number, high: number): number {
    const page = this.#page;
    for (let at = 0; at < PAGE_WORDS; at += 2) if (page[at] === low && page[at + 1] === high) return at;
    return -1;
  }

  /** What was never written of the file is empty. */
  #read(page: number): void {
    const read = this.#file === null ? 0 : readSync(this.#file, this.#page, 0, PAGE_BYTES, page * PAGE_BYTES);
    this.#page.fill(0, read / 4);
  }

  #write(page: number): void {
    if (this.#file !== null) writeSync(this.#file, this.#page, 0, PAGE_BYTES, page * PAGE_BYTES);
  }

  /** Two multiplications a byte, then both halves mixed into each other. */
  #hash(database: number, bytes: Uint8Array, start: number, length: number): void {
    let one = 0xdeadbeef ^ database;
    let other = 0x41c6ce57 ^ length;
    for (let at = start; at < start + length; at++) {
      const byte = bytes[at] as number;
      one = Math.imul(one ^ byte, 0x9e3779b1);
      other = Math.imul(other ^ byte, 0x5f356495);
      other ^= other >>> 15;
    }
    one = Math.imul(one ^ (one >>> 16), 0x85ebca6b) ^ Math.imul(other ^ (other >>> 13), 0xc2b2ae35);
    other = Math.imul(other ^ (other >>> 16), 0x85ebca6b) ^ Math.imul(one ^ (one >>> 13), 0xc2b2ae35);
    this.#low = one >>> 0;
    this.#high = other >>> 0;
    if (this.#low === 0 && this.#high === 0) this.#high = 1;
  }
}

/** A file that takes the place of the one at `path`, until it is whole. */
export function replacementOf(path: string): string {
  return `${path}.new`;
}

/** The place of a half of a hash in the filter; the page takes the lowest bits of the low one. */
function bitOf(half: number): number {
  return (half >>> 9) & (FILTER_BITS - 1);
}

function setBit(filter: Uint32Array, half: number): void {
  const bit = bitOf(half);
  filter[bit >>> 5] = (filter[bit >>> 5] as number) | (1 << (bit & 31));
}

function hasBit(filter: Uint32Array, half: number): boolean {
  const bit = bitOf(half);
  return ((filter[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
}
