// The stream's commands on their way into a file: those that an AOF can hold as they came, the others told.
import { COMMAND_KIND } from '../../protocol/command-spec.ts';
import { CommandTable } from '../../protocol/command-table.ts';
import type { StreamParser } from '../../readers/stream-parser.ts';
import type { AofFile } from '../../writers/file/aof-file.ts';
import type { KeylessRule, KeylessRules } from '../run/shard-job.ts';
import type { CommandTaker, TargetHost } from '../shard/shard-target.ts';

export class FileCommands implements CommandTaker {
  database = 0;
  readonly #file: AofFile | null;
  readonly #host: TargetHost;
  readonly #keyless: KeylessRules;
  readonly #table = new CommandTable();

  /** @param file null where the file's format holds no commands: none must come. */
  constructor(file: AofFile | null, host: TargetHost, keyless: KeylessRules) {
    this.#file = file;
    this.#host = host;
    this.#keyless = keyless;
  }

  get insideBlock(): boolean {
    return this.#file?.insideBlock ?? false;
  }

  handle(command: StreamParser): void {
    const { bytes, offsets, lengths, count, start, end } = command;
    const kind = this.#table.lookup(bytes, offsets, lengths, count)?.kind;
    switch (kind) {
      case COMMAND_KIND.PING:
      case COMMAND_KIND.REPLCONF:
      case COMMAND_KIND.TOPOLOGY:
        return;
      case COMMAND_KIND.SELECT:
        this.database = Number(argumentText(command, 1));
        return;
      case COMMAND_KIND.FLUSHALL:
      case COMMAND_KIND.FLUSHDB:
        if (!this.#passes(this.#keyless.flush, 'filter.flush', command)) return;
        break;
      case COMMAND_KIND.SWAPDB:
        if (!this.#passes(this.#keyless.swapdb, 'filter.swapdb', command)) return;
        break;
      case COMMAND_KIND.PUBLISH:
      case COMMAND_KIND.SPUBLISH:
        // A message has no effect that a file could keep.
        return;
      case COMMAND_KIND.SCRIPT:
        if (!this.#passes(this.#keyless.script, 'filter.script', command)) return;
        break;
      case COMMAND_KIND.FUNCTION:
        if (!this.#passes(this.#keyless.function, 'filter.function', command)) return;
        break;
    }
    this.#file?.command(bytes, start, end, this.database);
    this.#host.answered(0, 1);
  }

  inject(command: StreamParser): void {
    this.handle(command);
  }

  oversized(command: StreamParser): void {
    this.#host.refused(this.database, command.oversizedName, 'the command is larger than limits.valueInMemory');
  }

  /** The file ends in front of a transaction that is under way by itself. */
  discardBlock(): void {}

  #passes(rule: KeylessRule, setting: string, command: StreamParser): boolean {
    if (rule === 'forward') return true;
    const name = argumentText(command, 0).toUpperCase();
    if (rule === 'ignore') this.#host.once('info', `${name} from the source is not applied, as the settings say.`);
    else this.#host.refused(this.database, [Buffer.from(name)], `${setting} is "refuse"`);
    return false;
  }
}

function argumentText({ bytes, offsets, lengths, count }: StreamParser, index: number): string {
  if (index >= count) return '';
  const start = offsets[index] as number;
  return bytes.toString('latin1', start, start + (lengths[index] as number));
}
