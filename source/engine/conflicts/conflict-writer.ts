// Sends once more what the snapshot wanted to write, now that it is decided, until the target has answered for all of it. A
// reply that means "not now" is waited for; one that shows the key to have changed meanwhile makes it a conflict again.
import { encodeCommand } from '../../protocol/resp-encode.ts';
import { type BlockReply, TargetRefusal } from '../../writers/block-link.ts';
import { judgeReply } from '../../writers/target-replies.ts';
import type { RefusedCommand } from '../../writers/writer-owner.ts';
import { FerryError } from '../errors.ts';
import type { NodeLinks } from '../target/node-links.ts';
import { type ConflictEntry, type Difference, type RefusedWrite, type Settled, settledAs } from './conflict-entry.ts';

export interface SecondWrite {
  readonly entry: ConflictEntry;
  readonly args: readonly (string | Buffer)[];
  /** null: there was nothing to decide. */
  readonly replaced: Difference | null;
}

export interface ConflictWriterHost {
  settled(conflict: Settled): void;
  refused(command: RefusedCommand): void;
}

const RETRY_MS = 1000;

export class ConflictWriter {
  /** Why a write is sent again, as part of a sentence, or null. */
  #putOff: string | null = null;
  #destroyed = false;
  readonly #links: NodeLinks;
  readonly #host: ConflictWriterHost;

  constructor(links: NodeLinks, host: ConflictWriterHost) {
    this.#links = links;
    this.#host = host;
  }

  get putOff(): string | null {
    return this.#putOff;
  }

  destroy(): void {
    this.#destroyed = true;
  }

  /**
   * @returns those whose key on the target is not what was compared: they are to be looked at once more.
   * @throws FerryError when the target can take no more at all, or a link breaks.
   */
  async write(writes: readonly SecondWrite[]): Promise<readonly RefusedWrite[]> {
    const changed: RefusedWrite[] = [];
    let left = writes;
    while (left.length > 0 && !this.#destroyed) {
      const again: SecondWrite[] = [];
      await this.#links.onEachNode(left, placeOf, async (link, items) => {
        const commands = items.map(({ args }) => encodeCommand(args));
        const replies = await link.run(commands, commands.length);
        for (const [index, write] of items.entries()) {
          const fate = this.#fateOf(write, replies[index] ?? null, link.address);
          if (fate === 'changed') changed.push(write.entry);
          else if (fate === 'again') again.push(write);
        }
      });
      if (again.length === 0) this.#putOff = null;
      else await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      left = again;
    }
    return changed;
  }

  /** again: to be sent once more, as it is. @throws FerryError when the target can take no more at all. */
  #fateOf({ entry, args, replaced }: SecondWrite, reply: BlockReply, address: string): 'settled' | 'changed' | 'again' {
    if (reply === null || reply === 0) {
      // SET NX: somebody has made the key since it was gone. PEXPIREAT: it has gone since it was there.
      return 'changed';
    }
    if (!(reply instanceof TargetRefusal)) {
      if (replaced !== null) this.#host.settled(settledAs('rewritten', entry, replaced));
      return 'settled';
    }
    const { meaning, remedy } = judgeReply(reply.text);
    switch (meaning) {
      case 'conflict':
        return 'changed';
      case 'refused':
        this.#host.refused({
          database: entry.database,
          args: args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg)),
          reason: reply.text,
        });
        return 'settled';
      case 'moved':
      case 'fatal':
        throw new FerryError(`The target ${address} ${remedy} (${reply.text}).`, { code: 'target-lost' });
      default:
        this.#putOff = `the target ${address} ${remedy} (${reply.text}); trying again every second`;
        return 'again';
    }
  }
}

function placeOf({ entry }: SecondWrite): { readonly database: number; readonly key: Buffer } {
  return { database: entry.database, key: entry.incoming.key };
}
