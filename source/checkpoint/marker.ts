// Markers: keys on the target that say how far a source shard's stream has taken effect there. A slot's marker is set in
// the same MULTI as each wrapped command of its slot, so that one is never there without the other; as order within a
// slot is kept, everything of the slot up to it has taken effect. A connection's marker names its node and says how far
// everything had been applied, on all nodes, when it was written; a node that fell back shows an older one.
//
//   redferry:<run>:{tag}:<shard>            a slot's; the tag puts it into the slot and is never made from a key
//   redferry:<run>:{tag}:<shard>:<node id>  a connection's, in some slot of the node
//   value of both: replid:offset:db         the last byte applied, and the database in force behind it
import { digitCount, encodeCommand, putBytes, putDecimal, putLineEnd } from '../protocol/resp-encode.ts';
import { SLOTS, slotTag } from '../protocol/slot.ts';

/** What a marker says. */
export interface Marker {
  readonly replid: string;
  /** Everything up to and with this byte of the stream. */
  readonly offset: number;
  /** The source's database in force for the command behind it. */
  readonly db: number;
}

/** The history that a source is in; as INFO replication gives it. */
export interface SourceHistory {
  readonly replid: string;
  /** The history before the last failover; null: there is none. */
  readonly replid2: string | null;
  /** The first byte that the two do not share (second_repl_offset); -1 without replid2. */
  readonly secondReplOffset: number;
}

/** Replid, offset and database; a replid is 40 letters and digits (CONFIG_RUN_ID_SIZE of server.h), tests use shorter ones. */
const VALUE = /^([0-9A-Za-z]{1,64}):(\d{1,16}):(\d{1,9})$/;
/** No braces, which would make a tag, and no colons, which part the names. */
const NAME_PART = /^[0-9A-Za-z._-]{1,64}$/;
const DOLLAR = 36;
const COLON = 58;
const TAG_BYTES = 4;
/** `$` and two digits, line ends, two colons; an offset of 16 digits and a database of 9. */
const VALUE_FRAME_BYTES = 40;

/** `redferry:<run>:{tag}:<shard>` */
export function slotMarkerName(run: string, shard: string, slot: number): string {
  checkNamePart(shard);
  return `${markerPrefix(run)}{${slotTag(slot)}}:${shard}`;
}

/** `redferry:<run>:{tag}:<shard>:<node id>` */
export function connectionMarkerName(run: string, shard: string, slot: number, nodeId: string): string {
  checkNamePart(nodeId);
  return `${slotMarkerName(run, shard, slot)}:${nodeId}`;
}

export function formatMarker({ replid, offset, db }: Marker): string {
  return `${replid}:${offset}:${db}`;
}

/** What the value of a marker says; null for what is none. */
export function parseMarker(value: string): Marker | null {
  const [, replid, offset, db] = VALUE.exec(value) ?? [];
  if (replid === undefined || !Number.isSafeInteger(Number(offset))) return null;
  return { replid, offset: Number(offset), db: Number(db) };
}

/**
 * Whether the marker's offset means the same byte in the source's history now. Of the history before a failover only
 * what lies before second_repl_offset was taken over: that is one more than the last byte shared (shiftReplicationId in
 * replication.c of Redis 7.0).
 */
export function countsFor(marker: Pick<Marker, 'replid' | 'offset'>, history: SourceHistory): boolean {
  if (marker.replid === history.replid) return true;
  return marker.replid === history.replid2 && marker.offset < history.secondReplOffset;
}

/** A connection's marker as a whole command. */
export function encodeConnectionMarker(name: string, marker: Marker): Buffer {
  return encodeCommand(['SET', name, formatMarker(marker)]);
}

/** Writes the markers of one shard's slots as commands, in place: what changes from one to the next is a few bytes. */
export class SlotMarkers {
  /** The most that `put` writes. */
  readonly maxBytes: number;
  /** `*3 SET <name>` for each length of a tag, and where the tag stands in it. */
  readonly #heads: readonly Buffer[];
  readonly #tagAt: readonly number[];
  /** `<replid>:` */
  #replid: Buffer;

  /** @throws RangeError for a run or shard with other than letters, digits, `.`, `_` and `-` in its name. */
  constructor(run: string, shard: string, replid: string) {
    const before = markerPrefix(run);
    checkNamePart(shard);
    this.#heads = Array.from({ length: TAG_BYTES }, (_, i) => {
      const name = `${before}{${'x'.repeat(i + 1)}}:${shard}`;
      return Buffer.from(`*3\r\n$3\r\nSET\r\n$${name.length}\r\n${name}\r\n`, 'latin1');
    });
    this.#tagAt = this.#heads.map((head) => head.indexOf('{') + 1);
    this.#replid = Buffer.from(`${replid}:`, 'latin1');
    this.maxBytes = (this.#heads[TAG_BYTES - 1] as Buffer).length + this.#replid.length + VALUE_FRAME_BYTES;
  }

  /** The source's history has a new name of the same length: after a failover, or a full sync. */
  setReplid(replid: string): void {
    if (replid.length + 1 !== this.#replid.length) throw new RangeError(`A replid of ${replid.length} characters`);
    this.#replid = Buffer.from(`${replid}:`, 'latin1');
  }

  /**
   * Writes `SET <the slot's marker> <replid>:<offset>:<db>`; gives the place behind it. Takes 0.13 us.
   * @param buffer has room for `maxBytes` from `at` on.
   */
  put(buffer: Buffer, at: number, slot: number, offset: number, db: number): number {
    allTags ??= makeTags();
    const tags = allTags;
    const tagLength = tags[slot * (TAG_BYTES + 1)] as number;
    const head = this.#heads[tagLength - 1] as Buffer;
    let position = putBytes(buffer, at, head, 0, head.length);
    const tagAt = at + (this.#tagAt[tagLength - 1] as number);
    const tag = slot * (TAG_BYTES + 1) + 1;
    for (let i = 0; i < tagLength; i++) buffer[tagAt + i] = tags[tag + i] as number;

    const replid = this.#replid;
    buffer[position] = DOLLAR;
    position = putDecimal(buffer, position + 1, replid.length + digitCount(offset) + 1 + digitCount(db));
    position = putLineEnd(buffer, position);
    position = putBytes(buffer, position, replid, 0, replid.length);
    position = putDecimal(buffer, position, offset);
    buffer[position] = COLON;
    position = putDecimal(buffer, position + 1, db);
    return putLineEnd(buffer, position);
  }
}

/** Length and letters of each slot's tag, TAG_BYTES + 1 bytes a slot; made when the first marker is written. */
let allTags: Uint8Array | null = null;

function makeTags(): Uint8Array {
  const tags = new Uint8Array(SLOTS * (TAG_BYTES + 1));
  for (let slot = 0; slot < SLOTS; slot++) {
    const tag = slotTag(slot);
    const at = slot * (TAG_BYTES + 1);
    tags[at] = tag.length;
    for (let i = 0; i < tag.length; i++) tags[at + 1 + i] = tag.charCodeAt(i);
  }
  return tags;
}

/** @throws RangeError for a run that would not make a safe name. */
function markerPrefix(run: string): string {
  checkNamePart(run);
  return `redferry:${run}:`;
}

function checkNamePart(part: string): void {
  if (!NAME_PART.test(part)) {
    throw new RangeError(`"${part}" can not stand in a marker's name: letters, digits, ".", "_" and "-" can.`);
  }
}
