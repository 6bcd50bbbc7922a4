// The shards of a run at work: a record of each, the threads that carry them, and what the threads tell of them. A shard
// whose thread dies goes on another one; one whose lease another process has taken is let go of at once.
import type { NodeAddress } from '../../topology/endpoint.ts';
import type { SlotRange } from '../../topology/topology.ts';
import type { ShardSelection } from '../contract/command.ts';
import type { NoticeLevel } from '../contract/notice.ts';
import type { FerryError } from '../errors.ts';
import { RecopyRequests } from '../recopy/recopy-requests.ts';
import { ScanWatch } from '../scan/scan-watch.ts';
import type { RunCheckpoints } from './run-checkpoints.ts';
import type { RunJournal } from './run-journal.ts';
import { type JoinedNode, jobOfJoined, type RunPlan } from './run-plan.ts';
import type { FromWorker, ShardEnd, ShardJob, ToWorker } from './shard-job.ts';
import { ShardRecord } from './shard-record.ts';
import { SnapshotPermits } from './snapshot-permits.ts';
import { SourceWatch } from './source-watch.ts';
import { WorkerPool } from './worker-pool.ts';

const GIVE_UP_MS = 5000;

export interface RunningShardsHost {
  /** The run goes on: a shard that loses its thread gets another. */
  isRunning(): boolean;
  /** A shard's source has another address: its setting of keyspace events did not travel with it. */
  moved(shard: number, address: NodeAddress): Promise<void>;
  /** Another process writes for one of the shards now. */
  leaseLost(): void;
  changed(): void;
  /** One has ended, or counts no more. */
  ended(): void;
}

export class RunningShards {
  /** Keys that are copied again. */
  readonly recopies = new RecopyRequests((message) => this.send(message));
  readonly #journal: RunJournal;
  readonly #host: RunningShardsHost;
  #records: readonly ShardRecord[] = [];
  #pool: WorkerPool | null = null;
  #permits: SnapshotPermits | null = null;
  #checkpoints: RunCheckpoints | null = null;
  /** Of a source cluster whose shards are followed by replication; of one that is scanned. */
  #watch: SourceWatch | null = null;
  #scanWatch: ScanWatch | null = null;
  #giveUpTimer: NodeJS.Timeout | null = null;

  constructor(journal: RunJournal, host: RunningShardsHost) {
    this.#journal = journal;
    this.#host = host;
  }

  /** Empty until they begin. */
  get records(): readonly ShardRecord[] {
    return this.#records;
  }

  /** Those of the selection that are at work. */
  chosen(shards: ShardSelection): readonly ShardRecord[] {
    return this.#records.filter((record) => !record.final && (shards === 'all' || shards.includes(record.job.id)));
  }

  /** To the thread of the shard that is named in it. */
  send(message: ToWorker & { readonly shard: number }): void {
    this.#pool?.send(message);
  }

  /** @param workerFile what the threads run; by default the worker of this build. */
  begin(plan: RunPlan, workerFile: URL | undefined): void {
    this.#checkpoints = plan.checkpoints;
    plan.checkpoints?.begin({
      lost: (shard, error) => this.#leaseLost(shard, error),
      notice: (level, shard, message) => this.#journal.notice(level, shard, message),
    });
    this.#pool = new WorkerPool(
      plan.threads,
      {
        told: (message) => this.#told(message),
        died: (shards, message) => this.#died(shards, message),
      },
      workerFile,
    );
    this.#permits = new SnapshotPermits(plan.snapshotsAtOnce, (shard) => this.send({ type: 'permit', shard }));
    this.#records = plan.jobs.map(({ job, slots }) => this.#makeRecord(job, slots));
    for (const record of this.#records) {
      this.#pool.start(record.job);
      record.probe?.start();
    }
    this.#watchSlots();
  }

  /** A shard that had failed begins once more. */
  beginAgain(record: ShardRecord, job: ShardJob): void {
    record.revive();
    this.#checkpoints?.revived(job.id);
    this.#startCarrying(job);
  }

  /** What was received is applied, and nothing more is received. */
  drain(): void {
    this.#stopWatching();
    for (const record of this.#records) this.send({ type: 'drain', shard: record.job.id });
  }

  /** What was not applied is given up; so is a thread that does not even answer this. */
  abort(): void {
    for (const record of this.#records) if (!record.final) this.send({ type: 'abort', shard: record.job.id });
    this.#giveUpTimer ??= setTimeout(() => {
      const silent = this.#records.filter((record) => !record.final).map((record) => record.job.id);
      this.#died(silent, `The worker thread of this shard did not answer within ${GIVE_UP_MS / 1000} s.`);
    }, GIVE_UP_MS);
  }

  /** When all have ended: lets go of the leases, and of what nobody has to go on with. */
  async letGo(): Promise<void> {
    await this.#checkpoints?.close(this.#records.some(({ end }) => end?.reason === 'conflict'));
  }

  /** Ends the threads and everything that is asked of the source's nodes. */
  async close(): Promise<void> {
    this.#stopWatching();
    if (this.#giveUpTimer !== null) clearTimeout(this.#giveUpTimer);
    for (const record of this.#records) record.probe?.stop();
    await this.#pool?.close();
  }

  #makeRecord(job: ShardJob, slots: readonly SlotRange[]): ShardRecord {
    return new ShardRecord(job, slots, (offset) => this.send({ type: 'source-at', shard: job.id, offset }));
  }

  /** Slots of a source cluster may move while the run goes on. */
  #watchSlots(): void {
    const job = this.#records[0]?.job;
    if (job?.origin.kind !== 'server' || job.origin.nodeId === null || job.snapshotOnly) return;
    const records = (): readonly ShardRecord[] => this.#records;
    const host = {
      send: (message: ToWorker & { readonly shard: number }) => this.send(message),
      join: (node: JoinedNode) => this.#join(node),
      notice: (level: NoticeLevel, shard: string | null, message: string) =>
        this.#journal.notice(level, shard, message),
    };
    if (job.origin.scan !== null) {
      const keyspaceFollows = (shard: number, address: NodeAddress) => this.#host.moved(shard, address);
      this.#scanWatch = new ScanWatch(job.origin.endpoint, { ...host, records, keyspaceFollows });
      this.#scanWatch.start();
      return;
    }
    this.#watch = new SourceWatch(job.origin.endpoint, {
      get records() {
        return records();
      },
      ...host,
    });
    this.#watch.start();
  }

  #stopWatching(): void {
    this.#watch?.stop();
    this.#scanWatch?.stop();
  }

  /** A master that was not there when the run began: a shard that carries no slot yet. */
  #join(node: JoinedNode): ShardRecord {
    const record = this.#makeRecord(jobOfJoined(this.#records, node), []);
    this.#records = [...this.#records, record];
    this.#pool?.start(record.job);
    record.probe?.start();
    this.#host.changed();
    return record;
  }

  #told(message: FromWorker): void {
    const record = this.#records.find((candidate) => candidate.job.id === message.shard);
    if (record === undefined) return;
    switch (message.type) {
      case 'sample':
        record.take(message.sample);
        this.#checkpoints?.take(message.shard, message.sample);
        break;
      case 'notice':
        this.#journal.notice(message.level, record.job.name, message.message);
        break;
      case 'refusals':
        this.#journal.refused(message.refusals);
        break;
      case 'conflicts':
        this.#journal.conflictsSettled(message.conflicts);
        break;
      case 'left-over':
        record.leftovers = message.leftovers;
        break;
      case 'moved':
        record.moved(message.address);
        void this.#host.moved(message.shard, message.address);
        break;
      case 'permit-wanted':
        if (record.job.origin.kind === 'server') this.#permits?.want(message.shard, record.job.origin.address.host);
        break;
      case 'lease-wanted':
        void this.#answerLease(message.shard);
        break;
      case 'permit-returned':
        this.#permits?.giveBack(message.shard);
        break;
      case 'recopied':
        this.recopies.answered(message.request, message.counts);
        break;
      case 'slots-taken':
        this.#watch?.taken(message.shard, message.slots, message.done);
        break;
      case 'ended':
        this.#ended(record, message.end);
        break;
    }
  }

  #ended(record: ShardRecord, end: ShardEnd): void {
    const { id } = record.job;
    this.recopies.ended(id);
    record.end = this.#checkpoints?.endOf(id, end) ?? end;
    record.probe?.stop();
    void this.#checkpoints?.ended(id, isDone(end));
    if (end.reason === 'conflict') this.abort();
    this.#host.ended();
  }

  async #answerLease(shard: number): Promise<void> {
    const held = (await this.#checkpoints?.held(shard)) ?? true;
    this.send({ type: 'lease', shard, held });
  }

  #leaseLost(shard: number, error: FerryError): void {
    const record = this.#records.find((candidate) => candidate.job.id === shard);
    if (record === undefined || record.final) return;
    this.#journal.notice('error', record.job.name, error.message);
    this.#host.leaseLost();
    this.send({ type: 'abort', shard });
  }

  #died(shards: readonly number[], message: string): void {
    for (const record of this.#records) {
      if (record.final || !shards.includes(record.job.id)) continue;
      this.#permits?.giveBack(record.job.id);
      this.recopies.ended(record.job.id);
      const again = this.#host.isRunning() ? record.loseThread(message) : '';
      if (typeof again !== 'string') {
        this.#startElsewhere(again, record.paused, message);
        continue;
      }
      const sentence = `${message} ${again}`.trim();
      record.die(sentence);
      record.probe?.stop();
      this.#journal.notice('error', record.job.name, sentence);
    }
    this.#host.ended();
  }

  /** A shard whose thread died goes on another one. */
  #startElsewhere(job: ShardJob, paused: boolean, message: string): void {
    this.#journal.notice('error', job.name, `${message} This shard begins a new full sync on another thread.`);
    this.#startCarrying(job);
    if (paused) this.send({ type: 'pause', shard: job.id });
  }

  /** With the slots that it carries by now. */
  #startCarrying(job: ShardJob): void {
    this.#pool?.start(this.#watch?.carried(job) ?? job);
  }
}

/** Everything of the shard is on the target. */
function isDone({ reason }: ShardEnd): boolean {
  return reason === 'snapshot-done' || reason === 'drained' || reason === 'left';
}
