// The lease: one process at a time works on a source shard of a migration. It is a key on the target with an expiry, which
// the holder renews; beside it, without expiry, stands the shard's state, so that another machine can go on with nothing
// but the configuration. An expired lease does not stop a holder that was frozen: who takes it kills the connections of
// the one before (fence.ts), and the one before finds its lease taken when it wakes.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { FerryError, messageOf } from '../engine/errors.ts';
import { connectionPrefix, killFormerConnections } from './fence.ts';
import type { AskedNode } from './node-request.ts';
import { isGone, type ProcessIdentity, thisProcess } from './process-identity.ts';
import { formatShardState, parseShardState, type StoredShard } from './shard-state.ts';

/**
 * KEYS: lease, state. ARGV: our token, the lease's value, its expiry in ms, the state, `1` where a lease that has
 * vanished may be put back. Gives 1 when the lease is ours, else 0. Runs the same on all servers from Redis 5.0 on.
 */
const RENEW = `
local now = redis.call('GET', KEYS[1])
if now then
  if string.sub(now, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
elseif ARGV[5] ~= '1' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4]) end
return 1`;

/** KEYS: lease. ARGV: its value as it was read, the new value, its expiry. */
const TAKE_OVER = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`;

/** KEYS: lease, state. ARGV: our token, `1` to remove the state as well. */
const RELEASE = `
local now = redis.call('GET', KEYS[1])
if not now or string.sub(now, 1, #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] == '1' then redis.call('DEL', KEYS[2]) end
return 1`;

const RENEWALS_PER_EXPIRY = 3;
const MOST_ATTEMPTS = 5;

const holderSchema = z.object({
  run: z.string(),
  host: z.string(),
  place: z.string(),
  pid: z.int(),
  started: z.string(),
  since: z.iso.datetime(),
});

/** Who has a lease. */
export type LeaseHolder = Readonly<z.infer<typeof holderSchema>>;

export interface LeaseOptions {
  readonly migration: string;
  readonly run: string;
  readonly shard: string;
  /** A lease that is not renewed for this long is free. */
  readonly expiryMs: number;
  /** How often it is renewed, and the state beside it with it; a third of the expiry by default. */
  readonly renewEveryMs?: number;
  /** Reaches the node that has the slot of `leaseKey`, wherever that is now. */
  readonly home: AskedNode;
  /** All nodes of the target that take writes: the fence goes around each. */
  readonly nodes: readonly AskedNode[];
  /** The state to leave on the target with each renewal; null leaves what is there. */
  readonly state: () => StoredShard | null;
  /** The lease is gone, for the reason given: nothing may be written any more. Called once. */
  readonly lost: (error: FerryError) => void;
}

/** `busy`: somebody else works on this shard; `expiresInMs` is when that ends unless it is renewed. */
export type LeaseOutcome =
  | { readonly status: 'acquired'; readonly lease: Lease }
  | { readonly status: 'busy'; readonly holder: LeaseHolder | null; readonly expiresInMs: number };

export function leaseKey(migration: string, shard: string): string {
  return `redferry:lease:{${migration}:${shard}}`;
}

/** The state beside the lease, in its slot. */
export function stateKey(migration: string, shard: string): string {
  return `redferry:state:{${migration}:${shard}}`;
}

/** One sentence about who has the lease. */
export function describeHolder(outcome: Extract<LeaseOutcome, { status: 'busy' }>, shard: string): string {
  const { holder, expiresInMs } = outcome;
  const who = holder === null ? 'somebody' : `process ${holder.pid} on ${holder.host} (run ${holder.run})`;
  return `${shard} is being migrated by ${who}; if that is no more, it is free in ${(expiresInMs / 1000).toFixed(1)} s.`;
}

/**
 * Takes the lease if it is free, expired, or held by a process of this machine that is no more; then kills the connections
 * that a former holder may still have. To be called before this process opens data connections of that name.
 * @throws FerryError `lease` or `fence` when the target can not be asked.
 */
export async function acquireLease(options: LeaseOptions): Promise<LeaseOutcome> {
  const identity = await thisProcess();
  const lease = new Lease(options, identity);
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const outcome = await lease.take();
    if (outcome === 'again') continue;
    if (outcome !== 'taken') return outcome;
    try {
      const prefix = connectionPrefix(options.run, options.shard);
      await Promise.all(options.nodes.map((node) => killFormerConnections(node, prefix)));
    } catch (thrown) {
      await lease.release(false).catch(() => {});
      throw thrown;
    }
    lease.keep();
    return { status: 'acquired', lease };
  }
  throw new FerryError(`The lease of ${options.shard} changes hands all the time: is somebody else starting as well?`, {
    code: 'lease',
    retriable: true,
  });
}

/** Who has the lease and may still be at work; null when it is free, or was held by a process of this machine that is no more. */
export async function leaseHolder(
  home: AskedNode,
  migration: string,
  shard: string,
): Promise<Extract<LeaseOutcome, { status: 'busy' }> | null> {
  const name = leaseKey(migration, shard);
  const there = await ask(home, ['GET', name]);
  if (there === null) return null;
  const holder = parseHolder(String(there));
  if (holder !== null && (await isGone(holder, await thisProcess()))) return null;
  return { status: 'busy', holder, expiresInMs: Math.max(0, Number(await ask(home, ['PTTL', name]))) };
}

/** What was left beside a lease by its last holder; null when nothing was. @throws FerryError `lease` or `state` */
export async function readLeftState(home: AskedNode, migration: string, shard: string): Promise<StoredShard | null> {
  const reply = await ask(home, ['GET', stateKey(migration, shard)]);
  return reply === null ? null : parseShardState(String(reply), `The state of ${shard} on the target ${home.address}`);
}

export class Lease {
  readonly #options: LeaseOptions;
  readonly #token = randomBytes(12).toString('hex');
  readonly #identity: ProcessIdentity;
  readonly #value: string;
  readonly #lease: string;
  readonly #state: string;
  #timer: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;
  /** By our own clock, counted from before the request that set the expiry. */
  #validUntilMs = 0;
  #renewing: Promise<boolean> | null = null;
  #ended = false;

  /** Use `acquireLease`. */
  constructor(options: LeaseOptions, identity: ProcessIdentity) {
    this.#options = options;
    this.#identity = identity;
    const holder: LeaseHolder = { run: options.run, ...identity, since: new Date().toISOString() };
    this.#value = `${this.#token} ${JSON.stringify(holder)}`;
    this.#lease = leaseKey(options.migration, options.shard);
    this.#state = stateKey(options.migration, options.shard);
  }

  /** Whether it is certainly still ours. */
  get held(): boolean {
    return !this.#ended && performance.now() < this.#validUntilMs;
  }

  /** One attempt to get the key; `again` when it changed meanwhile. */
  async take(): Promise<'taken' | 'again' | Extract<LeaseOutcome, { status: 'busy' }>> {
    const { home, expiryMs } = this.#options;
    const sentAt = performance.now();
    if ((await ask(home, ['SET', this.#lease, this.#value, 'PX', String(expiryMs), 'NX'])) !== null) {
      this.#validUntilMs = sentAt + expiryMs;
      return 'taken';
    }
    const there = await ask(home, ['GET', this.#lease]);
    if (there === null) return 'again';
    const holder = parseHolder(String(there));
    if (holder === null || !(await isGone(holder, this.#identity))) {
      const left = Number(await ask(home, ['PTTL', this.#lease]));
      return { status: 'busy', holder, expiresInMs: Math.max(0, left) };
    }
    const askedAt = performance.now();
    const args = ['EVAL', TAKE_OVER, '1', this.#lease, String(there), this.#value, String(expiryMs)];
    if ((await ask(home, args)) !== 1) return 'again';
    this.#validUntilMs = askedAt + expiryMs;
    return 'taken';
  }

  /** Begins to renew the lease. */
  keep(): void {
    this.#watchOver();
    this.#renewSoon();
  }

  /**
   * Renews it now, with the state as it is now. To be awaited before markers are read after a broken link: somebody may
   * have taken over while we were away. false: it is lost, and `lost` was told; or the target can not be asked just now.
   */
  renew(): Promise<boolean> {
    this.#renewing ??= this.#renewOnce().finally(() => {
      this.#renewing = null;
    });
    return this.#renewing;
  }

  /** Gives it back. @param done the migration of this shard is finished: its state goes as well. @throws FerryError `lease` */
  async release(done: boolean): Promise<void> {
    this.#stop();
    const args = ['EVAL', RELEASE, '2', this.#lease, this.#state, this.#token, done ? '1' : '0'];
    await ask(this.#options.home, args);
  }

  async #renewOnce(): Promise<boolean> {
    if (this.#ended) return false;
    const { home, expiryMs, shard } = this.#options;
    const sentAt = performance.now();
    const state = this.#options.state();
    const args = [
      ...['EVAL', RENEW, '2', this.#lease, this.#state, this.#token, this.#value, String(expiryMs)],
      state === null ? '' : formatShardState(state),
      // While it is certainly ours nobody else can have had it: it went with a flush, or with a failover.
      this.held ? '1' : '0',
    ];
    let reply: unknown;
    try {
      reply = await ask(home, args);
    } catch {
      // Tried again; if that does not help in time, the watch says so.
      return false;
    }
    if (this.#ended) return false;
    if (reply !== 1) {
      this.#lose(
        `The lease of ${shard} was taken by somebody else: this process was away for too long and stops writing.`,
      );
      return false;
    }
    this.#validUntilMs = sentAt + expiryMs;
    this.#watchOver();
    return true;
  }

  #renewSoon(): void {
    if (this.#ended) return;
    this.#timer = setTimeout(
      () => {
        void this.renew().then(() => this.#renewSoon());
      },
      this.#options.renewEveryMs ?? this.#options.expiryMs / RENEWALS_PER_EXPIRY,
    );
  }

  #watchOver(): void {
    if (this.#watch !== null) clearTimeout(this.#watch);
    this.#watch = setTimeout(
      () => {
        const { shard, expiryMs, home } = this.#options;
        this.#lose(
          `The lease of ${shard} could not be renewed on ${home.address} for ${expiryMs / 1000} s, so somebody else may have it: this process stops writing.`,
        );
      },
      Math.max(0, this.#validUntilMs - performance.now()),
    );
  }

  #lose(message: string): void {
    if (this.#ended) return;
    this.#stop();
    this.#options.lost(new FerryError(message, { code: 'lease-lost', retriable: true, shard: this.#options.shard }));
  }

  #stop(): void {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#watch !== null) clearTimeout(this.#watch);
  }
}

/** Behind the token and a blank. */
function parseHolder(value: string): LeaseHolder | null {
  try {
    return holderSchema.parse(JSON.parse(value.slice(value.indexOf(' ') + 1)));
  } catch {
    return null;
  }
}

async function ask(node: AskedNode, args: readonly string[]): Promise<unknown> {
  try {
    return await node.request(args);
  } catch (thrown) {
    const words = messageOf(thrown);
    const right = /NOPERM/.test(words) ? ': grant +eval, +get, +set, +del and +pttl on the keys redferry:*' : '';
    throw new FerryError(`${node.address} did not do ${args[0]} for the lease (${words})${right}.`, {
      code: 'lease',
      retriable: right === '',
      cause: thrown,
    });
  }
}
