// A worker thread that carries some of the shards: starts a pipeline for each job, passes commands to it, and tells the
// main thread several times a second how each stands. A terminal that does not read can never stop this thread.
import { parentPort } from 'node:worker_threads';
import type { FromWorker, ToWorker } from '../run/shard-job.ts';
import { ShardPipeline } from './shard-pipeline.ts';

const SAMPLE_MS = 200;

const port = parentPort;
if (port === null) throw new Error('shard-worker.ts runs in a worker thread only');

const pipelines = new Map<number, ShardPipeline>();
const post = (message: FromWorker): void => {
  if (message.type === 'ended') pipelines.delete(message.shard);
  port.postMessage(message);
};

const sampler = setInterval(() => {
  for (const [shard, pipeline] of pipelines) {
    pipeline.tellRefusals();
    post({ type: 'sample', shard, sample: pipeline.sample() });
  }
}, SAMPLE_MS);

port.on('message', (message: ToWorker) => {
  if (message.type === 'start') {
    const pipeline = new ShardPipeline(message.job, post);
    pipelines.set(message.job.id, pipeline);
    void pipeline.start();
    return;
  }
  if (message.type === 'end') {
    clearInterval(sampler);
    port.close();
    return;
  }
  const pipeline = pipelines.get(message.shard);
  switch (message.type) {
    case 'recopy': {
      const keys = message.keys.map(({ database, key }) => ({ database, key: Buffer.from(key) }));
      if (pipeline === undefined) post({ ...message, type: 'recopied', counts: null });
      else pipeline.recopy(message.request, keys);
      return;
    }
    case 'lose-slots':
      pipeline?.loseSlots(message.slots);
      return;
    case 'take-slots':
      if (pipeline === undefined) post({ ...message, type: 'slots-taken', done: false });
      else pipeline.takeSlots(message.slots, message.sweep);
      return;
    case 'lease':
      pipeline?.lease(message.held);
      return;
    case 'source-moved':
      pipeline?.sourceMoved(message.address);
      return;
    case 'source-at':
      pipeline?.sourceAt(message.offset);
      return;
    case 'retry-now':
      pipeline?.retryNow();
      return;
    case 'rate':
      pipeline?.setRate(message.rate);
      return;
    case 'conflict-policy':
      pipeline?.setConflictPolicy(message.policy);
      return;
    case 'conflict-decision':
      pipeline?.decideConflict(message.question, message.decision);
      return;
    default:
      pipeline?.[message.type]();
  }
});
