// Every sentence the preflight says. Evidence states what was found, with addresses and numbers; a remedy says what to do.

const number = new Intl.NumberFormat('en-US');

/** 1,234 keys */
export function keysText(keys: number): string {
  return `${number.format(keys)} ${keys === 1 ? 'key' : 'keys'}`;
}

/** 1.5 GiB */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}

export const QUESTIONS = {
  'same-server': 'Are source and target different servers?',
  'target-role': 'Is every target node a master that takes writes?',
  databases: 'Does the target have a place for every database of the source?',
  'open-slots': 'Are the slots of both clusters at rest?',
  'source-permission': 'May this user replicate from the source?',
  'scan-permission': 'May this user scan the source?',
  'keyspace-events': 'Does the source tell of changes while it is scanned?',
  'target-permission': 'May this user write to the target?',
  'exactly-once': 'Can every command of the stream take effect exactly once?',
  'target-empty': 'Is the target empty?',
  'target-memory': 'Has the target room for the data of the source?',
  versions: 'Does the target take the value formats of the source?',
  'source-replicas': 'Does the source count its replicas?',
  'source-buffer': 'How much may the source keep back for a replica?',
  'source-scripts': 'Does the source replicate what its scripts do?',
  'source-busy': 'Is the source free to make a snapshot?',
} as const;

export const SAME_SERVER = {
  ok: 'No target node is a source node or replicates with one.',
  itself: (target: string, source: string) => `The target ${target} is the source ${source} itself (same run id).`,
  chain: (target: string, source: string) =>
    `The target ${target} and the source ${source} replicate from one another (same replication history).`,
  follows: (source: string, target: string) => `The source ${source} is set up as a replica of the target ${target}.`,
  remedy: 'Give another target.',
};

export const TARGET_ROLE = {
  ok: (count: number) => (count === 1 ? 'The target is a master.' : `All ${count} target nodes are masters.`),
  replica: (target: string, master: string) => `The target ${target} is a replica of ${master} and takes no writes.`,
  remedy: (master: string) => `Give its master ${master} as target, or make it a master (REPLICAOF NO ONE).`,
};

export const DATABASES = {
  ok: (counts: string) => `The source holds ${counts}.`,
  noPlace: (counts: string, database: number, target: string) =>
    `The source holds ${counts}, and the target ${target} has no database ${database}.`,
  notAllowed: (counts: string, target: string) =>
    `The source holds ${counts}, and this user may not run SELECT on the target ${target}.`,
  notAllowedRemedy: 'Grant it with ACL SETUSER name +select, or give another user.',
  cluster:
    'A cluster has database 0 only: say with databases.map (for example {"3": 0}) what goes there, or take a standalone target.',
  merged: (counts: string, database: number) =>
    `The source holds ${counts}, and databases.map sends more than one of them to database ${database}.`,
  mergedRemedy: 'Keys of the same name in two of them become one: make sure that there are none.',
  standalone: (database: number) => `Set databases to ${database + 1} or more in the target's configuration.`,
};

export const OPEN_SLOTS = {
  ok: 'No slot is being moved.',
  none: 'Neither side is a cluster.',
  open: (side: string, count: number, example: string) =>
    `The ${side} has ${count} ${count === 1 ? 'slot' : 'slots'} on the move (${example}).`,
  remedy: 'Wait until the resharding has ended, or close what it left open with redis-cli --cluster fix.',
};

export const SOURCE_PERMISSION = {
  ok: 'PSYNC and REPLCONF are allowed on the source.',
  notOffered: (source: string) => `The source ${source} does not offer PSYNC, as some managed services do not.`,
  notOfferedRemedy: 'Ask the provider for replication to the outside; without it this source cannot be read.',
  denied: (source: string, user: string, command: string) =>
    `The user ${user} may not run ${command} on the source ${source}.`,
  remedy: (user: string) => `Grant it: ACL SETUSER ${user} +psync +replconf +ping +info.`,
  unknown: (source: string) => `The right to PSYNC could not be asked on ${source}; the handshake will tell.`,
};

export const KEYSPACE_EVENTS = {
  none: 'No source node was asked.',
  enough: (source: string, flags: string) => `notify-keyspace-events of ${source} is ${flags}, which is enough.`,
  lacking: (source: string, flags: string, missing: string) =>
    `notify-keyspace-events of ${source} is ${flags === '' ? '(empty)' : flags} and lacks ${missing}: changes during the scan would not arrive.`,
  press: (needed: string) =>
    `Press K on the screen, give source.scan.changes "set", or run CONFIG SET notify-keyspace-events ${needed}.`,
  forbidden: (source: string, user: string) =>
    `The user ${user} may not read notify-keyspace-events of ${source} (CONFIG): changes are followed by CLIENT TRACKING, which names no database.`,
  nothing: (source: string, user: string) =>
    `The user ${user} may neither read notify-keyspace-events of ${source} (CONFIG) nor use CLIENT TRACKING: changes during the scan would not arrive.`,
  consoles: (user: string) =>
    `Set notify-keyspace-events to AE in the service's console (ElastiCache and MemoryDB: parameter group; Azure: advanced settings; Memorystore: instance configuration; Tair: parameter settings) or in redis.conf; ACL SETUSER ${user} +config|get +config|set lets redferry do it.`,
};

export const SCAN_PERMISSION = {
  ok: 'SCAN, DUMP and MGET are allowed on the source.',
  denied: (source: string, user: string, command: string) =>
    `The user ${user} may not run ${command} on the source ${source}.`,
  sizes: (source: string, user: string) =>
    `The user ${user} may not run MEMORY USAGE on the source ${source}: large values would be fetched whole.`,
  remedy: (user: string) =>
    `Grant it: ACL SETUSER ${user} +@read +scan +info +memory|usage +multi +exec +watch +select +client; docs/scan.md says why.`,
  unknown: (source: string) => `The right to scan could not be asked on ${source}; the scan will tell.`,
};

export const TARGET_PERMISSION = {
  ok: 'The commands that write are allowed on the target.',
  denied: (target: string, user: string, commands: string) =>
    `The user ${user} may not run ${commands} on the target ${target}.`,
  remedy: (user: string) => `Grant it: ACL SETUSER ${user} ~* &* +@all -@admin, or give another user.`,
  limited: (target: string, user: string) => `The user ${user} may write only some keys on the target ${target}.`,
  limitedRemedy: (user: string) =>
    `Writes to other keys are refused and reported: see that its patterns cover the source, or ACL SETUSER ${user} ~*.`,
  unknown: 'The rights on the target could not be asked; the first write will tell.',
};

export const EXACTLY_ONCE = {
  ok: 'Markers on the target and a fence against older connections are allowed.',
  off: 'target.exactlyOnce is off: a broken link to the target means another full sync of its shards.',
  denied: (target: string, user: string, commands: string) =>
    `The user ${user} may not run ${commands} on the target ${target}, so that older connections could not be shut out and writes could take effect twice.`,
  remedy: (user: string) =>
    `Grant it: ACL SETUSER ${user} +client|id +client|list +client|kill +client|setname +get, or set target.exactlyOnce to false.`,
  evicts: (target: string, policy: string) =>
    `The target ${target} removes any keys when it is short of memory (maxmemory-policy ${policy}), redferry's markers among them, and copied keys.`,
  evictsRemedy: 'Set maxmemory-policy to noeviction while the migration runs: a full target then makes it wait.',
};

export const TARGET_EMPTY = {
  ok: 'The target holds no keys.',
  keys: (keys: number, detail: string) => `The target already holds ${keysText(keys)} (${detail}).`,
  panic:
    'With the conflict policy panic the shard halts at the first key that both sides have with different values: the screen asks (after --detach redferry attach opens it); without one the run ends with exit code 3.',
  rewrite: 'With the conflict policy rewrite, keys of the same name are replaced.',
  rewriteBlocks:
    'With the conflict policy rewrite, keys of the same name are replaced. The target frees what it replaces before it serves anybody (lazyfree-lazy-server-del is no), which large values make felt: CONFIG SET lazyfree-lazy-server-del yes there for the time of the move.',
  ignore: 'With the conflict policy ignore, keys of the same name stay as they are on the target.',
};

export const TARGET_MEMORY = {
  ok: (used: number, free: number) => `The source uses ${bytesText(used)}, the target has ${bytesText(free)} free.`,
  unlimited: (used: number) => `The source uses ${bytesText(used)}, and the target has no maxmemory.`,
  small: (used: number, free: number) =>
    `The source uses ${bytesText(used)}, but the target has only ${bytesText(free)} free below its maxmemory.`,
  smallRemedy: (policy: string) =>
    policy === 'noeviction'
      ? 'It will refuse writes when it is full: raise maxmemory on the target.'
      : 'It will remove keys when it is full: raise maxmemory on the target.',
  evicts: (target: string, policy: string) =>
    `The target ${target} removes keys when it is full (maxmemory-policy ${policy}).`,
  evictsRemedy: 'Set maxmemory-policy noeviction on the target while the run lasts.',
};

export const VERSIONS = {
  ok: (source: string, target: string) => `${target} takes what ${source} writes.`,
  newer: (source: string, theirs: number, target: string, limit: number) =>
    `The source (${source}) writes RDB version ${theirs}, the target (${target}) takes up to ${limit}.`,
  remedy:
    'Values are rewritten in formats that the target knows; what those have no place for (expiries of hash fields, counters of streams) is left out and said.',
};

export const SOURCE_SCRIPTS = {
  ok: 'The source replicates what its scripts do.',
  verbatim:
    'The source replicates scripts as they were called (lua-replicate-commands no, or older than 5.0): keys that they let expire live longer on the target, by the lag.',
  remedy: 'CONFIG SET lua-replicate-commands yes on the source, where it knows that.',
};

export const SOURCE_REPLICAS = {
  ok: 'No source node has min-replicas-to-write set.',
  sentinel: 'A Sentinel watches the source: it will list redferry as a replica, and keep it in its list after the run.',
  sentinelRemedy: 'Run SENTINEL RESET NAME on the sentinels afterwards; redferry never does.',
  counts: (source: string, replicas: number) =>
    `The source ${source} takes writes only with enough replicas (min-replicas-to-write), and redferry counts as one; it has ${replicas} now.`,
  remedy: 'While the run lasts this protection is weaker by one replica: see that the real ones are connected.',
};

export const SOURCE_BUFFER = {
  found: (limits: string) => `client-output-buffer-limit for replicas: ${limits}.`,
  one: (hard: string, soft: string, seconds: number) => `${hard} at once, ${soft} for ${seconds} s`,
  unlimited: 'no limit',
  unknown: 'The limit could not be read (CONFIG GET is not allowed).',
};

export const SOURCE_BUSY = {
  ok: 'No source node is making a snapshot or rewriting its AOF.',
  saving: (source: string) => `${source} is writing a snapshot`,
  rewriting: (source: string) => `${source} is rewriting its AOF`,
  loading: (source: string) => `${source} is loading its data`,
  remedy: 'The full sync of that shard begins after it.',
};

export const NOT_ASKED = {
  evidence: (reason: string) => `This could not be asked: ${reason}`,
  remedy: 'The run itself will tell.',
};
