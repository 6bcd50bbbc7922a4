// A process of its own that fills the demo's source and keeps writing to it: the memory and the processor time that the
// screen shows are then redferry's alone, and the screen stays quick while the data is made. Speaks over the IPC channel.
import { messageOf } from '../engine/errors.ts';
import { fillSample, type NodeAddress } from './sample-data.ts';
import { startLoad, type WriteLoad } from './write-load.ts';

export interface WriterOrder {
  readonly nodes: readonly NodeAddress[];
  readonly keys: number;
  readonly ratePerSecond: number;
  readonly seed: number;
}

export type ToWriter = { readonly type: 'begin'; readonly order: WriterOrder } | { readonly type: 'stop' };

export type FromWriter =
  /** The sample is there and the writes have begun. */
  | { readonly type: 'writing' }
  /** Every reply is in. */
  | { readonly type: 'stopped'; readonly errors: number }
  | { readonly type: 'failed'; readonly message: string };

let load: WriteLoad | null = null;

const tell = (message: FromWriter): void => {
  process.send?.(message);
};

async function begin({ nodes, keys, ratePerSecond, seed }: WriterOrder): Promise<void> {
  await fillSample(nodes, { keys, cluster: true, seed });
  load = await startLoad(nodes, { cluster: true, ratePerSecond, seed, keys });
  tell({ type: 'writing' });
}

async function stop(): Promise<void> {
  const stats = await load?.stop();
  tell({ type: 'stopped', errors: stats?.errors ?? 0 });
}

process.on('message', (message: ToWriter) => {
  const work = message.type === 'begin' ? begin(message.order) : stop();
  work.catch((error: unknown) => tell({ type: 'failed', message: messageOf(error) }));
});
// The demo is gone, however it ended: nothing is left to write for.
process.on('disconnect', () => process.exit());
// Ctrl-C in the terminal reaches the whole group; the demo ends this process when it is ready to.
process.on('SIGINT', () => {});
