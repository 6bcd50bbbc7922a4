// Both sides of a comparison with all their connections: those that parse replies for single keys, those that take replies
// as bytes for whole batches. What the clocks of both sides say is measured here once.
import { clockOf } from './expiry.ts';
import type { LinkedSide } from './linked-side.ts';
import { ReplyBuffers } from './reply-buffers.ts';
import { ReplyLink } from './reply-link.ts';
import { type CompareSide, connectionOptions, openSide, type Side } from './side.ts';

export interface LinkedSides {
  readonly source: LinkedSide;
  readonly target: LinkedSide;
  /** How far the target's clock is ahead of the source's; negative when it is behind. Exact to half a round trip. */
  readonly clockSkewMs: number;
  close(): void;
}

/** Throws when a node cannot be reached; nothing is left open then. */
export async function openSides(source: CompareSide, target: CompareSide): Promise<LinkedSides> {
  const buffers = new ReplyBuffers();
  const opened = await Promise.allSettled([openLinked(source, buffers), openLinked(target, buffers)]);
  const close = (): void => {
    for (const one of opened) if (one.status === 'fulfilled') closeLinked(one.value);
    buffers.close();
  };
  const [ours, theirs] = opened;
  if (ours.status === 'fulfilled' && theirs.status === 'fulfilled') {
    const clockSkewMs = (await aheadMs(theirs.value.side)) - (await aheadMs(ours.value.side));
    return { source: ours.value, target: theirs.value, clockSkewMs, close };
  }
  close();
  throw ours.status === 'rejected' ? ours.reason : theirs.status === 'rejected' ? theirs.reason : null;
}

async function openLinked(description: CompareSide, buffers: ReplyBuffers): Promise<LinkedSide> {
  const side = await openSide(description);
  const links: ReplyLink[] = [];
  try {
    for (const place of description.addresses) {
      links.push(await ReplyLink.open(connectionOptions(description, place), buffers));
    }
    // As openSide does: a replica answers for its master's slots.
    if (description.cluster) for (const link of links) link.release(await link.request([READONLY], 1));
    return { side, links };
  } catch (error) {
    closeLinked({ side, links });
    throw error;
  }
}

const READONLY = Buffer.from('*1\r\n$8\r\nREADONLY\r\n');

function closeLinked({ side, links }: LinkedSide): void {
  side.close();
  for (const link of links) link.close();
}

/** One source node alone, so that a batch of its keys is asked there and nowhere else. */
export function onlyNode({ side, links }: LinkedSide, number: number): LinkedSide {
  const node = side.nodes[number];
  const link = links[number];
  if (node === undefined || link === undefined) throw new RangeError(`there is no node ${number}`);
  return { side: { ...side, nodes: [node], numberOf: () => 0, nodeOf: () => node }, links: [link] };
}

/** Of the first node: the nodes of a side are held by one time service, or nothing helps. */
async function aheadMs(side: Side): Promise<number> {
  const askedAtMs = Date.now();
  const nowMs = clockOf((await side.nodes[0]?.call(['TIME'])) ?? null);
  return nowMs - (askedAtMs + Date.now()) / 2;
}
