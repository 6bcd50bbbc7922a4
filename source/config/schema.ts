// The one description of redferry's settings: it gives the type, the checks, the defaults and config.schema.json.
import { availableParallelism, tmpdir } from 'node:os';
import { z } from 'zod';
import { CONFLICT_POLICIES } from '../engine/contract/conflict.ts';
import type { ThrottleSettings } from '../engine/rate/throttle.ts';
import type { RunLimits } from '../engine/run/run-plan.ts';
import type { ScanOrder } from '../engine/run/shard-job.ts';
import { KEY_NAMES } from '../telemetry/hidden-keys.ts';
import { parseNodeAddress } from '../topology/endpoint.ts';
import { parseSize } from '../validation/sample-size.ts';
import { LANGUAGES, systemLanguage } from './language.ts';
import { READERS } from './reader.ts';
import { optionalSize, sizeSetting } from './size.ts';

const nodeAddress = z
  .string()
  .refine((text) => parseNodeAddress(text) !== null, { error: 'must be host:port (IPv6 as [::1]:6379) on both sides' });

const credentials = {
  username: z.string().optional().describe('User to log in as (ACL); without it the default user.'),
  password: z
    .string()
    .optional()
    .describe('Password to log in with; a dollar sign and {NAME} take it from the environment.'),
};

const tls = z
  .strictObject({
    caFile: z.string().min(1).optional().describe("PEM file of the certificate authority; without it the system's."),
    certFile: z.string().min(1).optional().describe('PEM file of the client certificate, for mutual TLS.'),
    keyFile: z.string().min(1).optional().describe("PEM file of the client certificate's private key."),
    serverName: z.string().min(1).optional().describe('Name to verify and to send as SNI; without it the host.'),
    verify: z.boolean().default(true).describe("Whether the server's certificate is verified."),
  })
  .optional()
  .describe('Speak TLS, with these files; {} is enough for the defaults. An address with rediss:// turns it on too.');

const side = {
  address: z
    .string()
    .default('')
    .describe(
      'host:port, redis://, rediss:// or redis-sentinel://h1:26379,h2/name (several nodes with commas), or a file: rdb:FILE, aof:PATH, jsonl:FILE.',
    ),
  ...credentials,
  sentinel: z
    .strictObject(credentials)
    .prefault({})
    .describe('Credentials for the sentinels themselves, which have their own.'),
  tls,
  addressMap: z
    .record(nodeAddress, nodeAddress)
    .default({})
    .describe('For NAT and containers: the host:port a node announces to the one that is reachable from here.'),
  connectTimeoutMs: z
    .int()
    .min(1)
    .max(600_000)
    .default(5000)
    .describe('How long one attempt to connect may take, milliseconds.'),
};

const scan = z.strictObject({
  connections: z.int().min(1).max(64).default(4).describe('Connections to each source shard that fetch values.'),
  match: z.string().min(1).nullable().default(null).describe('Only keys that match this glob (SCAN MATCH).'),
  type: z.string().min(1).nullable().default(null).describe('Only keys of this type (SCAN TYPE).'),
  databases: z.array(z.int().min(0)).min(1).nullable().default(null).describe('Only these databases; null is all.'),
  keysPerSecond: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("Keys a second that are scanned in each shard, for the source's sake; null is as fast as it goes."),
  changes: z
    .enum(['ask', 'set', 'none'])
    .default('ask')
    .describe(
      'How changes are followed: ask uses notify-keyspace-events as it is and lets a key add what is missing, set adds it at the start, none scans once and ends.',
    ),
  restoreEvents: z
    .boolean()
    .default(true)
    .describe('Put notify-keyspace-events back at the end to what it was before the run.'),
  bigValue: sizeSetting('8mb', '64kb', 'A value that is larger in the source is read by elements, never whole.'),
});

const source = z.strictObject({
  ...side,
  preferReplica: z.boolean().default(false).describe('Read from a replica of each master where there is one.'),
  reader: z
    .enum(READERS)
    .default('sync')
    .describe('sync follows the source by replication; scan reads its keys by SCAN, where replication is closed.'),
  scan: scan.prefault({}).describe('The scan reader.'),
  shards: z
    .array(z.int().min(0))
    .min(1)
    .optional()
    .describe('Only these source shards, numbered from 0; without it all.'),
  until: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('Of an AOF with timestamps: stop at this time, for example 2026-11-21T03:00:00Z; without it at its end.'),
});

const target = z.strictObject({
  ...side,
  exactlyOnce: z
    .boolean()
    .default(true)
    .describe(
      'Keep markers (redferry:*) on the target while the run goes on, so that every command of the stream takes effect exactly once whatever breaks; without them a broken link to the target means another full sync of its shards.',
    ),
  overwrite: z.boolean().default(false).describe('Of a file as target: replace one of that name.'),
  rdbVersion: z
    .int()
    .min(9)
    .max(81)
    .optional()
    .describe(
      "Of an rdb: or aof: file as target: its RDB version, so that an older server loads it (9 for 5.0 to 6.2, 10 for 7.0, 11 for 7.2 and Valkey 7.2 to 8.1); without it the source's.",
    ),
});

function isSize(text: string): boolean {
  try {
    parseSize(text);
    return true;
  } catch {
    return false;
  }
}

function keylessRule(initial: 'forward' | 'ignore' | 'refuse', what: string) {
  return z
    .enum(['forward', 'ignore', 'refuse'])
    .default(initial)
    .describe(
      `${what}: forward sends it on, ignore drops it on purpose, refuse drops it, records it and ends with exit code 6.`,
    );
}

const filter = z.strictObject({
  flush: keylessRule('refuse', 'FLUSHALL and FLUSHDB in the stream'),
  swapdb: keylessRule('refuse', 'SWAPDB in the stream'),
  publish: keylessRule('ignore', 'PUBLISH in the stream'),
  script: keylessRule('forward', 'SCRIPT commands in the stream'),
  function: keylessRule('forward', 'FUNCTION commands in the stream'),
});

const rateSettings = {
  bytesPerSecond: optionalSize(
    '1kb',
    'Bytes of the source a second, all shards together, as a size like "20mb"; null is no limit.',
  ),
  operationsPerSecond: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Keys and commands a second, all shards together; null is no limit.'),
};

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: 'must be a time of day like 01:30' });

const percent = z.number().gt(0).max(1000).nullable().default(null);

const databases = z.strictObject({
  map: z
    .record(
      z.string().regex(/^\d{1,5}$/, { error: 'must be the number of a database of the source' }),
      z.int().min(0).max(65_535),
    )
    .default({})
    .describe('Databases of the source and where they go, for example {"1": 0, "2": 5}; others keep their number.'),
});

const limits = z.strictObject({
  memory: sizeSetting('32mb', '1mb', 'Memory for the queues of all shards together.'),
  spool: sizeSetting('8gb', '0b', 'Disk space for the queues of all shards together.'),
  spoolDirectory: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("Where queues stand on disk; null is the system's directory for temporary files."),
  valueInMemory: sizeSetting(
    '32mb',
    '64kb',
    'Largest value or command that is held in one piece; a larger value is written by elements, a larger command recorded as refused.',
  ),
  transaction: sizeSetting('8mb', '64kb', 'A larger MULTI of the source is not kept together.'),
  inFlight: sizeSetting('8mb', '64kb', 'Bytes sent to the target and not yet answered, all shards together.'),
  history: sizeSetting(
    '16mb',
    '1mb',
    'Bytes of the stream kept behind what has taken effect, for a target that comes back with older data; all shards together.',
  ),
  batch: sizeSetting('128kb', '1kb', 'Writes are sent to the target in pieces of about this size.'),
  flushDelayMs: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe('How long a piece may wait to fill up, milliseconds; 0 sends at once.'),
  snapshotsAtOnce: z
    .int()
    .min(1)
    .max(1024)
    .default(2)
    .describe('How many source shards may make a snapshot at a time.'),
  threads: z.int().min(0).max(256).default(0).describe('Worker threads for the shards; 0 is one for each core.'),
  rate: z.strictObject(rateSettings).prefault({}).describe('How fast the whole run may go.'),
  schedule: z
    .array(z.strictObject({ from: timeOfDay, to: timeOfDay, ...rateSettings }))
    .max(100)
    .default([])
    .describe(
      'Windows of the day (local time, from "01:00" to "05:00") with a rate of their own in the place of limits.rate; the first one that holds counts.',
    ),
  target: z
    .strictObject({
      latencyMs: z
        .number()
        .gt(0)
        .nullable()
        .default(null)
        .describe(
          'The run slows down while a node of the target takes longer than this to answer a PING, milliseconds.',
        ),
      memoryPercent: percent.describe(
        "The run all but stands while a node of the target uses more than this share of its maxmemory (without one, of the machine's memory).",
      ),
      cpuPercent: percent.describe('The run slows down while a node of the target uses more than this of one core.'),
    })
    .prefault({})
    .describe('What the target has to bear: above it the run slows down by itself. null is no limit.'),
});

const validation = z.strictObject({
  sample: z
    .string()
    .refine(isSize, { error: 'must be keys (30000), a share (5%), a bound (0.01%@95) or full' })
    .default('0.1%@95')
    .describe(
      'How much a comparison looks at: keys (30000), a share (5%), the bound you want (0.01%@95: at most 0.01 % different with 95 % confidence), or full.',
    ),
  keysPerSecond: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe('Keys a second that a comparison reads; null is as fast as it goes, and 50,000 while a run goes on.'),
  ttlToleranceMs: z
    .int()
    .min(0)
    .max(86_400_000)
    .optional()
    .describe('How far expiries may lie apart, milliseconds; without it 0, or 1000 where a side is older than 7.0.'),
});

const screen = z.strictObject({
  language: z
    .enum(LANGUAGES)
    .optional()
    .transform((language) => language ?? systemLanguage(process.env))
    .meta({ description: 'Language of the screen; without it LC_ALL and LANG decide.' }),
  refreshHz: z.number().min(0.2).max(4).default(2).describe('How many times a second the screen is drawn.'),
  ascii: z.boolean().optional().describe('Draw with ASCII characters only; without it the terminal decides.'),
  color: z.boolean().optional().describe('Draw in colour; without it the terminal and NO_COLOR decide.'),
});

const resume = z.strictObject({
  saveEveryMs: z
    .int()
    .min(50)
    .max(60_000)
    .default(1000)
    .describe('How often the state of a shard is written for a later --resume, milliseconds.'),
  leaseMs: z
    .int()
    .min(2000)
    .max(3_600_000)
    .default(60_000)
    .describe(
      'How long the lease of a shard on the target holds when nobody renews it, milliseconds: longer than a failover of the target takes.',
    ),
});

const log = z.strictObject({
  file: z.string().min(1).nullable().default(null).describe('Log file; null is a new one for each run.'),
  level: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('The least important messages that are logged.'),
  audit: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe('File to which every command to a run is appended; null is audit.jsonl in the folder for state.'),
  keys: z
    .enum(KEY_NAMES)
    .default('plain')
    .describe('How the log names keys: plain, or hash for the first 16 digits of the SHA-256 of each.'),
});

/** All settings, strict: what is not named here is an error. */
export const settingsSchema = z.strictObject({
  source: source.prefault({}).describe('Where the data is.'),
  target: target.prefault({}).describe('Where the data goes.'),
  conflict: z
    .enum(CONFLICT_POLICIES)
    .default('panic')
    .describe('A key that already exists on the target: panic stops, rewrite replaces it, ignore leaves it.'),
  databases: databases.prefault({}).describe('Which database goes where.'),
  filter: filter.prefault({}).describe('What happens to commands that have no key.'),
  limits: limits.prefault({}).describe('How much of this machine and of the servers a run may use.'),
  validation: validation.prefault({}).describe('How both sides are compared.'),
  interface: screen.prefault({}).describe('The screen.'),
  resume: resume.prefault({}).describe('What is kept for going on with a run that was killed.'),
  log: log.prefault({}).describe('The log file.'),
});

type DeepReadonly<T> = T extends object ? { readonly [K in keyof T]: DeepReadonly<T[K]> } : T;

/** Checked settings with every default filled in. */
export type Settings = DeepReadonly<z.output<typeof settingsSchema>>;
export type SourceSettings = Settings['source'];
export type TargetSettings = Settings['target'];
/** Settings as a file or the command line gives them: all of it may be left out. */
export type SettingsInput = DeepReadonly<z.input<typeof settingsSchema>>;

/** What holds when nothing is configured; the addresses are empty. */
export function defaultSettings(): Settings {
  return settingsSchema.parse({});
}

/** The limits as the engine takes them. */
export function runLimits(settings: Settings): RunLimits {
  const { spoolDirectory, threads, rate: _rate, schedule: _schedule, target: _target, ...others } = settings.limits;
  return {
    ...others,
    spoolDirectory: spoolDirectory ?? tmpdir(),
    threads: threads === 0 ? availableParallelism() : threads,
  };
}

/** How the source is to be scanned; null where it is followed by replication. */
export function scanOrder({ source: { reader, scan: order } }: Settings): ScanOrder | null {
  return reader === 'scan' ? { ...order, sweeps: false } : null;
}

/** How fast the run may go, as the engine takes it. */
export function throttleSettings({ limits: { rate, schedule, target } }: Settings): ThrottleSettings {
  return { rate, schedule, target };
}
