// What becomes of the stream's commands that have no keys of their own: FLUSHALL, SWAPDB, PUBLISH, SCRIPT, FUNCTION. The
// settings rule over them, and what touches more than a shard's keys is not every shard's to pass on.
import type { KeylessRule, KeylessRules } from '../engine/run/shard-job.ts';
import { COMMAND_KIND, type CommandSpec } from '../protocol/command-spec.ts';
import type { StreamParser } from '../readers/stream-parser.ts';

export interface KeylessHost {
  /** A command that does not reach the target, with the reason. */
  refused(database: number, args: readonly Buffer[], reason: string): void;
  /** A command that the settings say to drop. */
  ignored(name: string): void;
  /** Sends a command without keys to every target node once all before it is applied; nothing else goes on until then. */
  broadcast(args: readonly Buffer[]): void;
}

export interface KeylessOptions {
  readonly keyless: KeylessRules;
  /** The source has other shards: a flush or swap of this one is not theirs. */
  readonly sourceIsCluster: boolean;
}

/** anywhere: it goes on as it is, to any node; by-slot: to the node of what it names; done: it does not go on from here. */
export type KeylessWay = 'anywhere' | 'by-slot' | 'done';

export class KeylessCommands {
  readonly #toCluster: boolean;
  readonly #host: KeylessHost;
  readonly #options: KeylessOptions;
  /** Up to this offset everything that goes to all nodes has taken effect. */
  #broadcastOffset = Number.NEGATIVE_INFINITY;

  constructor(toCluster: boolean, host: KeylessHost, options: KeylessOptions) {
    this.#toCluster = toCluster;
    this.#host = host;
    this.#options = options;
  }

  /** Of such a command, which ends at this offset. */
  way(command: StreamParser, { kind }: CommandSpec, database: number, offset: number): KeylessWay {
    const { keyless } = this.#options;
    switch (kind) {
      case COMMAND_KIND.FLUSHALL:
      case COMMAND_KIND.FLUSHDB:
        return this.#wholeDatabase(command, keyless.flush, 'filter.flush', database, offset);
      case COMMAND_KIND.SWAPDB:
        return this.#wholeDatabase(command, keyless.swapdb, 'filter.swapdb', database, offset);
      case COMMAND_KIND.SCRIPT:
        return this.#everywhere(command, keyless.script, 'filter.script', database, offset);
      case COMMAND_KIND.FUNCTION:
        return this.#everywhere(command, keyless.function, 'filter.function', database, offset);
      default:
        return this.#published(command, kind, database);
    }
  }

  /** They touch more than this shard's keys unless the source is one node. */
  #wholeDatabase(
    command: StreamParser,
    rule: KeylessRule,
    setting: string,
    database: number,
    offset: number,
  ): KeylessWay {
    if (rule !== 'forward' || !this.#options.sourceIsCluster)
      return this.#everywhere(command, rule, setting, database, offset);
    const reason = 'one shard of a cluster must not empty or swap what others own';
    this.#host.refused(database, command.copyArguments(), reason);
    return 'done';
  }

  /** To one node only: a cluster passes PUBLISH on by itself, and SPUBLISH belongs to the slot of its channel. */
  #published(command: StreamParser, kind: CommandSpec['kind'], database: number): KeylessWay {
    const rule = this.#options.keyless.publish;
    if (rule !== 'forward') return this.#drop(command, rule, 'filter.publish', database);
    return this.#toCluster && kind === COMMAND_KIND.SPUBLISH ? 'by-slot' : 'anywhere';
  }

  #everywhere(command: StreamParser, rule: KeylessRule, setting: string, database: number, offset: number): KeylessWay {
    if (rule !== 'forward') return this.#drop(command, rule, setting, database);
    if (!this.#toCluster) return 'anywhere';
    if (offset > this.#broadcastOffset) {
      this.#broadcastOffset = offset;
      this.#host.broadcast(command.copyArguments());
    }
    return 'done';
  }

  #drop(command: StreamParser, rule: 'ignore' | 'refuse', setting: string, database: number): KeylessWay {
    if (rule === 'ignore') this.#host.ignored(command.text(0).toUpperCase());
    else this.#host.refused(database, command.copyArguments(), `${setting} is "refuse"`);
    return 'done';
  }
}
