// What a person may do about the keyspace events of a source that is scanned: switch them, and have a shard scanned once more.
import type { NodeAddress } from '../../topology/endpoint.ts';
import type { CommandOutcome, ShardSelection } from '../contract/command.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { KeyspaceSettings } from './keyspace-settings.ts';
import type { ToWorker } from './shard-job.ts';
import type { ShardRecord } from './shard-record.ts';

const NOT_SCANNED = 'The source is followed by replication, which needs no keyspace events.';

export interface KeyspaceHost {
  /** Those shards of the selection that are at work. */
  chosen(shards: ShardSelection): readonly ShardRecord[];
  send(message: ToWorker & { readonly shard: number }): void;
  notice(level: NoticeLevel, message: string): void;
}

export class KeyspaceDesk {
  /** Of a source that is scanned. */
  settings: KeyspaceSettings | null = null;
  readonly #host: KeyspaceHost;

  constructor(host: KeyspaceHost) {
    this.#host = host;
  }

  async switch(shards: ShardSelection, on: boolean): Promise<CommandOutcome> {
    if (this.settings === null) return { accepted: false, message: NOT_SCANNED };
    const chosen = this.#host.chosen(shards).map((record) => record.job.id);
    const outcome = on ? await this.settings.enable(chosen) : await this.settings.disable(chosen);
    for (const shard of chosen) this.#host.send({ type: 'lookAtChanges', shard });
    this.#tell(outcome);
    return outcome;
  }

  /** The source's setting does not travel with a failover. */
  async follow(shard: number, address: NodeAddress): Promise<void> {
    const outcome = (await this.settings?.follow(shard, address)) ?? null;
    if (outcome === null) return;
    this.#tell(outcome);
    this.#host.send({ type: 'lookAtChanges', shard });
  }

  rescan(shards: ShardSelection): CommandOutcome {
    const chosen = this.#host.chosen(shards);
    if (this.settings === null || chosen.length === 0)
      return { accepted: false, message: 'There is no shard at work that is scanned.' };
    for (const record of chosen) this.#host.send({ type: 'rescan', shard: record.job.id });
    const names = chosen.map((record) => record.job.name).join(', ');
    const message = `Scanning ${names} once more, then looking through the target.`;
    this.#host.notice('info', message);
    return { accepted: true, message };
  }

  /** What was changed on the source is put back. */
  async release(): Promise<void> {
    await this.settings?.release((level, message) => this.#host.notice(level, message));
  }

  #tell({ accepted, message }: CommandOutcome): void {
    this.#host.notice(accepted ? 'info' : 'warn', message);
  }
}
