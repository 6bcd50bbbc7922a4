// A scan of a cluster's node whose changes nobody follows. A slot that moves meanwhile takes its keys from before the cursor on
// one node to behind it on the other one: that can not be made good, but it can be told.

import { SourceLink, type SourceLinkOptions } from '../../readers/scan/source-link.ts';
import { askSlots, type NodeSlots } from '../../readers/scan/source-questions.ts';
import { formatAddress, type NodeAddress } from '../../topology/endpoint.ts';
import { formatSlots, normalizeSlots } from '../../topology/slots.ts';
import { messageOf } from '../errors.ts';

export class SingleScan {
  readonly #link: Omit<SourceLinkOptions, 'address'>;
  /** A sentence where they could not be asked. */
  #before: NodeSlots | string = 'nothing was asked';

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
    const came = [...now.own, ...now.arriving].filter((slot) => !before.own.has(slot));
    const left = [...before.own].filter((slot) => !now.own.has(slot) || now.leaving.has(slot));
    const moved = [came.length > 0 ? `${inWords(came)} came to` : '', left.length > 0 ? `${inWords(left)} left` : ''];
    const what = moved.filter((part) => part !== '').join(', ');
    if (what === '') return null;
    return `${what} this node while it was scanned: keys of theirs may be missing; scan again, or compare with redferry validate`;
  }

  async #slotsOf(address: NodeAddress): Promise<NodeSlots | string> {
    const link = new SourceLink({ ...this.#link, address });
    try {
      await link.open();
      return (await askSlots(link)) ?? `${formatAddress(address)} does not say which slots it has`;
    } catch (error) {
      return messageOf(error);
    } finally {
      link.close();
    }
  }
}

function inWords(slots: readonly number[]): string {
  return `slots ${formatSlots(normalizeSlots(slots.map((slot) => ({ first: slot, last: slot }))))}`;
}

function notAsked(why: string): string {
  return `whether slots have moved during the scan could not be asked: ${why}`;
}
