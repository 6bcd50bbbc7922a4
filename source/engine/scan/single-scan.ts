// A scan of a cluster's node whose changes nobody follows. A slot that comes to the node meanwhile may bring its keys behind
// the cursor here when they are already gone from the other node's: that can not be made good, but it can be told.

import { SourceLink, type SourceLinkOptions } from '../../readers/scan/source-link.ts';
import { askOwnSlots } from '../../readers/scan/source-questions.ts';
import { formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { formatSlots } from '../../topology/slots.ts';
import { messageOf } from '../errors.ts';

export class SingleScan {
  readonly #link: Omit<SourceLinkOptions, 'address'>;
  /** A sentence where they could not be asked. */
  #before: ReadonlySet<number> | string = 'nothing was asked';

  constructor(link: Omit<SourceLinkOptions, 'address'>) {
    this.#link = link;
  }

  /** Before the first key is read. A node that can not be asked is told of at the end. */
  async begins(address: NodeAddress): Promise<void> {
    this.#before = await this.#slotsOf(address);
  }

  /** Behind the last key: why keys may be missing, or null. */
  async ended(address: NodeAddress): Promise<string | null> {
    const before = this.#before;
    const now = await this.#slotsOf(address);
    if (typeof before === 'string') return notAsked(before);
    if (typeof now === 'string') return notAsked(now);
    const gained = [...now].filter((slot) => !before.has(slot));
    if (gained.length === 0) return null;
    const slots = formatSlots(gained.map((slot) => ({ first: slot, last: slot })));
    return `slots ${slots} came to this node while it was scanned: keys of theirs may be missing; scan again, or compare with redferry validate`;
  }

  async #slotsOf(address: NodeAddress): Promise<ReadonlySet<number> | string> {
    const link = new SourceLink({ ...this.#link, address });
    try {
      await link.open();
      return (await askOwnSlots(link)) ?? `${formatAddress(address)} does not say which slots it has`;
    } catch (error) {
      return messageOf(error);
    } finally {
      link.close();
    }
  }
}

function notAsked(why: string): string {
  return `whether slots have moved during the scan could not be asked: ${why}`;
}
