// The process of the chaos load: writing must go on while the harness is busy with its proxies, and stop with it.
import { messageOf } from '../../source/engine/errors.ts';
import { ChaosLoad, type LoadOptions, type LoadStats } from './load.ts';

export type ToLoad = { readonly type: 'start'; readonly options: LoadOptions } | { readonly type: 'stats' | 'stop' };

export type FromLoad =
  | { readonly type: 'started' }
  | { readonly type: 'stats' | 'stopped'; readonly stats: LoadStats }
  | { readonly type: 'failed'; readonly message: string };

let load: ChaosLoad | null = null;

const tell = (message: FromLoad): void => {
  process.send?.(message);
};

async function obey(message: ToLoad): Promise<void> {
  if (message.type === 'start') {
    load = new ChaosLoad(message.options);
    await load.start();
    tell({ type: 'started' });
    return;
  }
  if (load === null) throw new Error('the load was not started');
  if (message.type === 'stats') tell({ type: 'stats', stats: load.stats() });
  else tell({ type: 'stopped', stats: await load.stop() });
}

process.on('message', (message: ToLoad) => {
  obey(message).catch((error: unknown) => tell({ type: 'failed', message: messageOf(error) }));
});
process.on('disconnect', () => process.exit());
// Ctrl-C reaches the whole group; the harness says when to stop.
process.on('SIGINT', () => {});
