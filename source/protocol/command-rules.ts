// What @ioredis/commands cannot say by first, last and step: the rules of the families whose keys are counted or named
// by an option, the commands it does not list, and which commands of a stream are special. Checked against COMMAND
// GETKEYS of a real server by the tests. Sources: Redis 8 and Valkey 9 command descriptions.

import {
  COMMAND_KIND,
  type CommandKind,
  countedAt,
  halfBehind,
  type KeyRule,
  keyAt,
  keyBehind,
  MIGRATE_KEYS,
  rangeKeys,
  SORT_KEYS,
  searchKeys,
} from './command-spec.ts';

const COUNTED_FIRST = searchKeys(countedAt(1));
const COUNTED_SECOND = searchKeys(countedAt(2));
const TARGET_THEN_COUNTED = searchKeys(keyAt(1), countedAt(2));

/** Key rules that replace the package's. */
export const OWN_KEYS: Readonly<Record<string, KeyRule>> = {
  ...named('ZUNIONSTORE ZINTERSTORE ZDIFFSTORE', TARGET_THEN_COUNTED),
  ...named('LMPOP ZMPOP ZUNION ZINTER ZDIFF ZINTERCARD SINTERCARD SUNIONCARD SDIFFCARD', COUNTED_FIRST),
  ...named('EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO BLMPOP BZMPOP', COUNTED_SECOND),
  MSETEX: searchKeys(countedAt(1, 2)),
  SORT: SORT_KEYS,
  // The read-only forms cannot store; the package marks them as having movable keys for BY and GET, which are patterns.
  SORT_RO: rangeKeys(1, 1),
  GEORADIUS: searchKeys(keyAt(1), keyBehind('STORE', 6), keyBehind('STOREDIST', 6)),
  GEORADIUSBYMEMBER: searchKeys(keyAt(1), keyBehind('STORE', 5), keyBehind('STOREDIST', 5)),
  XREAD: searchKeys(halfBehind('STREAMS', 1)),
  XREADGROUP: searchKeys(halfBehind('STREAMS', 4)),
  MIGRATE: MIGRATE_KEYS,
};

const ONE_KEY = rangeKeys(1, 1);
const TWO_KEYS = rangeKeys(1, 2);

/** Write commands the package does not list: Valkey's own, the modules that Redis 8 carries, Tair's. */
export const ADDED_WRITES: Readonly<Record<string, KeyRule>> = {
  ...named('DELIFEQ RESTORE-ASKING', ONE_KEY),
  ...named('VADD VREM VSETATTR', ONE_KEY),
  ...named('BF.ADD BF.MADD BF.INSERT BF.RESERVE BF.LOADCHUNK BF.LOAD', ONE_KEY),
  ...named('CF.ADD CF.ADDNX CF.INSERT CF.INSERTNX CF.DEL CF.RESERVE CF.LOADCHUNK CF.COMPACT', ONE_KEY),
  ...named('CMS.INCRBY CMS.INITBYDIM CMS.INITBYPROB', ONE_KEY),
  ...named('TOPK.ADD TOPK.INCRBY TOPK.RESERVE', ONE_KEY),
  ...named('TDIGEST.CREATE TDIGEST.ADD TDIGEST.RESET', ONE_KEY),
  ...named('CMS.MERGE TDIGEST.MERGE', TARGET_THEN_COUNTED),
  ...named('JSON.SET JSON.DEL JSON.FORGET JSON.CLEAR JSON.MERGE JSON.STRAPPEND JSON.TOGGLE', ONE_KEY),
  ...named('JSON.ARRAPPEND JSON.ARRINSERT JSON.ARRPOP JSON.ARRTRIM', ONE_KEY),
  ...named('JSON.NUMINCRBY JSON.NUMMULTBY JSON.NUMPOWBY', ONE_KEY),
  'JSON.MSET': rangeKeys(1, -1, 3),
  ...named('TS.CREATE TS.ALTER TS.ADD TS.INCRBY TS.DECRBY TS.DEL', ONE_KEY),
  'TS.MADD': rangeKeys(1, -1, 3),
  ...named('TS.CREATERULE TS.DELETERULE', TWO_KEYS),
  ...named('EXSET EXHSET EXZADD', ONE_KEY),
};

/** Commands that change keys although no server flags them so: scripts may, PFCOUNT renews its cache. */
export const ALSO_WRITES: ReadonlySet<string> = new Set(['EVAL', 'EVALSHA', 'FCALL', 'PFCOUNT', 'TOUCH', 'SPUBLISH']);

/** The special ones; a family's name stands for all its members. */
export const KINDS: Readonly<Record<string, CommandKind>> = {
  PING: COMMAND_KIND.PING,
  SELECT: COMMAND_KIND.SELECT,
  MULTI: COMMAND_KIND.MULTI,
  EXEC: COMMAND_KIND.EXEC,
  REPLCONF: COMMAND_KIND.REPLCONF,
  FLUSHALL: COMMAND_KIND.FLUSHALL,
  FLUSHDB: COMMAND_KIND.FLUSHDB,
  SWAPDB: COMMAND_KIND.SWAPDB,
  PUBLISH: COMMAND_KIND.PUBLISH,
  SPUBLISH: COMMAND_KIND.SPUBLISH,
  SCRIPT: COMMAND_KIND.SCRIPT,
  FUNCTION: COMMAND_KIND.FUNCTION,
  MOVE: COMMAND_KIND.MOVE,
  COPY: COMMAND_KIND.COPY,
  DEL: COMMAND_KIND.SPLITTABLE,
  UNLINK: COMMAND_KIND.SPLITTABLE,
  TOUCH: COMMAND_KIND.SPLITTABLE,
  MSET: COMMAND_KIND.SPLITTABLE,
  TRIMSLOTS: COMMAND_KIND.TOPOLOGY,
  CLUSTER: COMMAND_KIND.TOPOLOGY,
};

/** Kinds that touch no key. */
export const KEYLESS_KINDS: ReadonlySet<CommandKind> = new Set([
  COMMAND_KIND.PING,
  COMMAND_KIND.SELECT,
  COMMAND_KIND.MULTI,
  COMMAND_KIND.EXEC,
  COMMAND_KIND.REPLCONF,
  COMMAND_KIND.FLUSHALL,
  COMMAND_KIND.FLUSHDB,
  COMMAND_KIND.SWAPDB,
  COMMAND_KIND.PUBLISH,
  COMMAND_KIND.SCRIPT,
  COMMAND_KIND.FUNCTION,
  COMMAND_KIND.TOPOLOGY,
]);

function named(names: string, keys: KeyRule): Record<string, KeyRule> {
  return Object.fromEntries(names.split(' ').map((name) => [name, keys]));
}
