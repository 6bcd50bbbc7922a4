// What a run does so that the target removes no key by itself while it lasts, and how it ends that.
import { openControl } from '../../topology/control-connection.ts';
import { discoverTopology } from '../../topology/discover.ts';
import type { Endpoint } from '../../topology/endpoint.ts';
import type { SlotRange } from '../../topology/topology.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import { messageOf } from '../errors.ts';
import { runsAt } from '../run/runs-at-target.ts';
import { settleExpiries } from './settle-expiries.ts';

export type Tell = (level: NoticeLevel, message: string) => void;

export interface ExpiryCare {
  /**
   * Every shard has ended, whichever way: from now on the target expires its keys itself, each at its own time.
   * @param stopped whether to leave off: then nobody waits for what this gives. @returns what remains to be done by a person, or null. Never rejects.
   */
  release(stopped: () => boolean, tell: Tell): Promise<string | null>;
}

export interface HeldOrder {
  /** Keys are held; else only fields of hashes. */
  readonly keys: boolean;
  /** Names of this run's leases, which expire by themselves. */
  readonly leases: readonly string[];
}

/** Expiries are written later than they are (protocol/held-expiry.ts) and get their own time back at the end. */
export class HeldExpiries implements ExpiryCare {
  readonly #run: string;
  readonly #target: Endpoint;
  readonly #slots: readonly SlotRange[];
  readonly #what: HeldOrder;

  /**
   * @param slots of the shards that are copied; empty for every key.
   */
  constructor(run: string, target: Endpoint, slots: readonly SlotRange[], what: HeldOrder) {
    this.#run = run;
    this.#target = target;
    this.#slots = slots;
    this.#what = what;
  }

  async release(stopped: () => boolean, tell: Tell): Promise<string | null> {
    try {
      // Its keys can not be told from ours, and its stream may still be behind.
      const other = this.#slots.length === 0 ? await this.#otherRun() : null;
      if (other !== null) {
        tell('info', `Run ${other} still writes to this target: held expiries are settled when it ends.`);
        return null;
      }
      const order = { target: this.#target, slots: this.#slots, ...this.#what, stopped, once: sayOnce(tell) };
      const { keys, fields, missed } = await settleExpiries(order);
      if (keys + fields > 0) {
        tell('info', `${keys} keys and ${fields} hash fields of the target have their exact expiry again.`);
      }
      return missed === 0 ? null : `${missed} keys of the target could not be settled: ${REMEDY}`;
    } catch (error) {
      return `Held expiries on the target could not be settled (${messageOf(error)}): ${REMEDY}`;
    }
  }

  /** null also where this user may not look. */
  async #otherRun(): Promise<string | null> {
    const { shards } = await discoverTopology(this.#target);
    for (const { address } of shards) {
      const node = await openControl(this.#target, address, `redferry:${this.#run}:settle`);
      try {
        const [other] = await runsAt(node, this.#run).catch(() => []);
        if (other !== undefined) return other;
      } finally {
        node.disconnect();
      }
    }
    return null;
  }
}

const REMEDY =
  'they expire 253 years late until redferry settle, or another run to this target, has settled them (docs/expiry.md).';

/** Nodes meet the same obstacle: it is said once. */
function sayOnce(tell: Tell): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (said.has(message)) return;
    said.add(message);
    tell('info', message);
  };
}
