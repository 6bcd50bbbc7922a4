// What a run does so that the target removes no key by itself while it lasts, and how it ends that.
import type { Endpoint } from '../topology/endpoint.ts';
import type { SlotRange } from '../topology/topology.ts';
import type { NoticeLevel } from './contract.ts';
import { messageOf } from './errors.ts';
import { settleExpiries } from './settle-expiries.ts';

export type Tell = (level: NoticeLevel, message: string) => void;

export interface ExpiryCare {
  /**
   * Every shard has ended, whichever way: from now on the target expires its keys itself, each at its own time.
   * @param stopped whether to leave off: then nobody waits for what this gives. @returns what remains to be done by a person, or null. Never rejects.
   */
  release(stopped: () => boolean, tell: Tell): Promise<string | null>;
}

/** Expiries are written later than they are (protocol/held-expiry.ts) and get their own time back at the end. */
export class HeldExpiries implements ExpiryCare {
  readonly #target: Endpoint;
  readonly #slots: readonly SlotRange[];
  readonly #keys: boolean;

  /**
   * @param slots of the shards that are copied; empty for every key.
   * @param what whether keys are held, or only fields of hashes.
   */
  constructor(target: Endpoint, slots: readonly SlotRange[], what: { readonly keys: boolean }) {
    this.#target = target;
    this.#slots = slots;
    this.#keys = what.keys;
  }

  async release(stopped: () => boolean, tell: Tell): Promise<string | null> {
    try {
      const order = { target: this.#target, slots: this.#slots, keys: this.#keys, stopped, once: sayOnce(tell) };
      const { keys, fields, missed } = await settleExpiries(order);
      if (keys + fields > 0) {
        tell('info', `${keys} keys and ${fields} hash fields of the target have their exact expiry again.`);
      }
      return missed === 0 ? null : `${missed} keys of the target could not be settled: ${REMEDY}`;
    } catch (error) {
      return `Held expiries on the target could not be settled (${messageOf(error)}): ${REMEDY}`;
    }
  }
}

const REMEDY =
  'they expire 253 years late until another run to this target ends, which settles what it finds (docs/expiry.md).';

/** Nodes meet the same obstacle: it is said once. */
function sayOnce(tell: Tell): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (said.has(message)) return;
    said.add(message);
    tell('info', message);
  };
}
