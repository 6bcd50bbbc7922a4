// The scenarios, as data. Each is expected to end with every key equal.
import { FAULTS, type FaultName } from './faults.ts';
import { SHORT_LIVED_KINDS } from './load-kinds.ts';
import { scripted } from './plan.ts';
import type { Bounds, LoadShape, Scenario, SideShape } from './scenario.ts';

/** The promise: a kill -9 in the stream costs two seconds and no snapshot. */
const GOES_ON: Bounds = { fullSyncs: 0, resumeMs: 2000 };
/** The same on a machine that runs other tests beside. */
const GOES_ON_SOME_TIME: Bounds = { fullSyncs: 0, resumeMs: 15_000 };

const STANDALONE: SideShape = { kind: 'standalone' };
const CLUSTER: SideShape = { kind: 'cluster', masters: 3, replicas: 0 };
const CLUSTER_WITH_REPLICAS: SideShape = { kind: 'cluster', masters: 3, replicas: 1 };
/** Everything the two sides of clusters with replicas can meet. */
const LOAD: LoadShape = { ratePerSecond: 1000, tags: 40, constantShare: 0.5 };
const SEVERAL_DATABASES: LoadShape = { ...LOAD, databases: [0, 3, 9] };

const SOURCE_STREAM: Scenario['faults'] = {
  'source-cut': 4,
  'source-cut-inside': 4,
  'source-stall': 2,
  'source-no-route': 2,
  'source-drops-replicas': 3,
  'source-freeze': 1,
};

export const SCENARIOS: readonly Scenario[] = [
  {
    ...common('source-links'),
    bounds: GOES_ON,
    source: STANDALONE,
    target: STANDALONE,
    load: SEVERAL_DATABASES,
    faults: { ...SOURCE_STREAM, 'engine-freeze': 1, 'target-stall': 1, 'target-freeze': 1 },
    faultCount: 3,
    short: true,
  },
  {
    ...common('source-links-cluster'),
    bounds: GOES_ON,
    source: CLUSTER,
    target: CLUSTER,
    load: LOAD,
    faults: { ...SOURCE_STREAM, 'engine-freeze': 1 },
    faultCount: 3,
    short: true,
  },
  {
    ...common('target-losses'),
    source: STANDALONE,
    target: STANDALONE,
    load: SEVERAL_DATABASES,
    faults: {
      'target-cut': 3,
      'target-cut-inside': 2,
      'target-no-route': 2,
      'target-restart-older': 2,
      'target-restart-empty': 1,
      'target-full': 1,
      'source-backlog-overrun': 1,
    },
    faultCount: 4,
    short: true,
  },
  {
    ...common('native'),
    engine: 'native',
    source: STANDALONE,
    target: STANDALONE,
    load: { ...SEVERAL_DATABASES, constantShare: 0 },
    faults: {
      ...SOURCE_STREAM,
      'source-late': 2,
      'source-backlog-overrun': 1,
      'target-freeze': 2,
      'target-restart-older': 2,
      'target-restart-empty': 1,
    },
    faultCount: 3,
    short: true,
  },
  {
    ...common('engine-kill'),
    bounds: GOES_ON_SOME_TIME,
    source: STANDALONE,
    target: STANDALONE,
    load: SEVERAL_DATABASES,
    faults: { ...SOURCE_STREAM, 'engine-kill': 16 },
    faultCount: 4,
    short: true,
  },
  {
    ...common('standalone'),
    source: STANDALONE,
    target: STANDALONE,
    load: SEVERAL_DATABASES,
    faults: faultsFor(false),
    faultCount: 30,
  },
  {
    ...common('standalone-to-cluster'),
    source: STANDALONE,
    target: CLUSTER_WITH_REPLICAS,
    load: LOAD,
    faults: faultsFor('target'),
    faultCount: 30,
  },
  {
    ...common('cluster-to-standalone'),
    source: CLUSTER_WITH_REPLICAS,
    target: STANDALONE,
    load: LOAD,
    faults: faultsFor('source'),
    faultCount: 30,
  },
  {
    ...common('clusters'),
    source: CLUSTER_WITH_REPLICAS,
    target: CLUSTER_WITH_REPLICAS,
    load: LOAD,
    faults: faultsFor('both'),
    faultCount: 200,
  },
  // Slots that change hands while their old or new shard begins anew.
  {
    ...common('source-slots'),
    source: CLUSTER_WITH_REPLICAS,
    target: CLUSTER_WITH_REPLICAS,
    load: LOAD,
    faults: { 'source-reshard': 1, 'source-backlog-overrun': 1, 'source-failover-frozen': 1 },
    faultCount: 16,
  },
  // The same with other shares of what may be repeated without harm.
  {
    ...common('clusters-constant'),
    source: CLUSTER_WITH_REPLICAS,
    target: CLUSTER_WITH_REPLICAS,
    load: { ...LOAD, constantShare: 0.9 },
    faults: faultsFor('both'),
    faultCount: 30,
  },
  {
    ...common('clusters-changing'),
    source: CLUSTER_WITH_REPLICAS,
    target: CLUSTER_WITH_REPLICAS,
    load: { ...LOAD, constantShare: 0 },
    faults: faultsFor('both'),
    faultCount: 30,
  },
  {
    ...common('target-cluster'),
    source: STANDALONE,
    target: CLUSTER_WITH_REPLICAS,
    load: LOAD,
    faults: only((name) => name.startsWith('target-') && name !== 'target-restart-behind'),
    faultCount: 20,
  },
  {
    ...common('short-lived'),
    source: STANDALONE,
    target: STANDALONE,
    load: {
      // A key is written every two seconds: what went wrong with it is not written over at once.
      ratePerSecond: 1000,
      tags: 2000,
      kinds: SHORT_LIVED_KINDS,
      constantShare: 0,
    },
    faults: { 'source-stall': 1, 'engine-freeze': 2, 'target-stall': 1 },
    faultCount: 6,
  },
  // Where the best peer fails (measured there): it doubles 21.7 % of the increments, ...
  {
    ...common('peer-kill-cluster'),
    bounds: GOES_ON,
    source: STANDALONE,
    target: CLUSTER,
    load: { ratePerSecond: 2000, tags: 200, constantShare: 0, kinds: ['incr'] },
    faults: {},
    script: Array.from({ length: 5 }, () => scripted('engine-kill', { gapMs: 2500, holdMs: 300 })),
    faultCount: 5,
  },
  // ... loses or doubles for ever when one shard is put back by 0.4 s as an asynchronous failover does, ...
  {
    ...common('peer-shard-put-back'),
    source: STANDALONE,
    target: CLUSTER,
    load: { ratePerSecond: 2000, tags: 200, constantShare: 0, kinds: ['incr'] },
    faults: {},
    script: [scripted('target-restart-behind', { gapMs: 3000, shard: 1 })],
    faultCount: 1,
    bounds: GOES_ON,
  },
  {
    ...common('peer-shard-failover'),
    source: STANDALONE,
    target: CLUSTER_WITH_REPLICAS,
    load: { ratePerSecond: 2000, tags: 200, constantShare: 0, kinds: ['incr'] },
    faults: {},
    script: [scripted('target-failover-behind', { gapMs: 3000, shard: 1, holdMs: 500 })],
    faultCount: 1,
    bounds: GOES_ON,
  },
  // ... and writes into the wrong database.
  {
    ...common('peer-databases'),
    bounds: GOES_ON,
    source: STANDALONE,
    target: STANDALONE,
    load: { ratePerSecond: 2000, tags: 200, constantShare: 0, kinds: ['incr'], databases: [1, 2, 3], alternate: true },
    faults: {},
    script: Array.from({ length: 5 }, () => scripted('engine-kill', { gapMs: 2500, holdMs: 300 })),
    faultCount: 5,
  },
];

/** @throws Error that lists the names. */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  throw new Error(`there is no scenario ${name}; there are ${SCENARIOS.map((scenario) => scenario.name).join(', ')}`);
}

function common(name: string): Pick<Scenario, 'name' | 'engine' | 'calmMs' | 'short'> {
  return { name, engine: 'redferry', calmMs: 500, short: false };
}

/** All faults by their own weights; those of clusters for the sides that are one, with replicas. */
function faultsFor(clusters: 'source' | 'target' | 'both' | false): Scenario['faults'] {
  return only((name) => {
    const { needs, side, weight } = FAULTS[name];
    if (weight === 0) return false;
    if (needs === 'nothing' || needs === 'process') return true;
    return clusters === 'both' || clusters === side;
  });
}

function only(wanted: (name: FaultName) => boolean): Scenario['faults'] {
  const names = (Object.keys(FAULTS) as FaultName[]).filter(wanted);
  return Object.fromEntries(names.map((name) => [name, FAULTS[name].weight]));
}
