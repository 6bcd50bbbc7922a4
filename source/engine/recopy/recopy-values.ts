// Values that were fetched to be copied again, until the stream has come to the offset that they belong to: then they are
// written in its order, among its commands.

import { slotOf } from '../../protocol/slot.ts';
import type { Loss } from '../../rdb/encode-goal.ts';
import type { ServerVersion } from '../../topology/topology.ts';
import type { CommandTaker } from '../shard/shard-target.ts';
import type { OwnedSlots } from '../source/owned-slots.ts';
import { readCommand } from '../target/command-relay.ts';
import type { RecopyKey } from './recopy-ledger.ts';
import { RecopyRestore } from './recopy-restore.ts';
import type { FetchedGroup, FetchedKey } from './recopy-source.ts';

export interface ValuesHost {
  /** Of a cluster's node: the slots that the pipeline carries. */
  readonly slots: OwnedSlots | null;
  readonly target: ServerVersion;
  /** What takes the key's place on the target is sent. */
  wrote(key: RecopyKey, how: 'rewritten' | 'removed'): void;
  /** Another pipeline copies the key. */
  elsewhere(key: RecopyKey): void;
  /** It can not be written, with the reason. */
  failed(key: RecopyKey, reason: string): void;
  /** The target has no place for a part of a value. */
  lost(loss: Loss): void;
}

export class RecopyValues {
  readonly #host: ValuesHost;
  readonly #restore: RecopyRestore;
  /** By rising offset. */
  #groups: FetchedGroup<RecopyKey>[] = [];

  constructor(host: ValuesHost) {
    this.#host = host;
    this.#restore = new RecopyRestore(host.target, (loss) => host.lost(loss));
  }

  /** Commands of their keys are held back until the stream has come to each group's offset. */
  add(groups: readonly FetchedGroup<RecopyKey>[]): void {
    this.#groups = [...groups];
    for (const { offset, keys } of groups) for (const { watched } of keys) watched.until = offset;
  }

  /** Writes the groups whose offset is reached, to who takes the stream's commands. @returns whether none is left. */
  write(reached: number, commands: CommandTaker): boolean {
    for (let group = this.#groups[0]; group !== undefined; group = this.#groups[0]) {
      if (group.offset > reached) return false;
      this.#groups.shift();
      for (const { watched, fetched } of group.keys) this.#writeKey(watched, fetched, commands);
    }
    return true;
  }

  #writeKey(watched: RecopyKey, fetched: FetchedKey, commands: CommandTaker): void {
    const { slots } = this.#host;
    if (slots !== null && !slots.owns(slotOf(watched.key, 0, watched.key.length))) {
      // Lost to another pipeline meanwhile, which copies all of the slot.
      this.#host.elsewhere(watched);
      return;
    }
    const command = this.#restore.command(fetched);
    if (command.kind === 'impossible') {
      this.#host.failed(watched, command.reason);
      return;
    }
    const before = commands.database;
    commands.database = watched.database;
    commands.inject(readCommand(command.bytes));
    commands.database = before;
    this.#host.wrote(watched, command.kind === 'restore' ? 'rewritten' : 'removed');
  }
}
