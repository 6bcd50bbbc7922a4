// The servers' own replication as the engine: what any engine is measured against, and the proof that the harness
// reports nothing where nothing is wrong. Standalone to standalone, the target being the source's replica.
import { formatAddress } from '../../source/topology/endpoint.ts';
import { waitFor } from '../support/wait.ts';
import { ask, info } from './ask.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Side, SideNode } from './side.ts';

const LOOK_EVERY_MS = 100;
const START_MS = 30_000;

export class NativeReplication implements EngineUnderTest {
  readonly copies = true;
  readonly process = null;
  readonly failure = null;
  readonly #source: SideNode;
  readonly #target: SideNode;
  #timer: NodeJS.Timeout | null = null;

  constructor(source: Side, target: Side) {
    const [from, to] = [source.nodes[0], target.nodes[0]];
    if (from === undefined || to === undefined || source.cluster || target.cluster) {
      throw new Error('native replication follows one standalone from another');
    }
    this.#source = from;
    this.#target = to;
  }

  async start(): Promise<void> {
    // A target that was restarted calls itself a master again.
    this.#timer = setInterval(() => void this.#follow().catch(() => {}), LOOK_EVERY_MS);
    await waitFor(() => this.streaming(), {
      what: `${formatAddress(this.#target.server)} to follow`,
      deadlineMs: START_MS,
    });
  }

  async streaming(): Promise<boolean> {
    const replication = await info(this.#target.server, 'replication');
    return replication.get('role') === 'slave' && replication.get('master_link_status') === 'up';
  }

  async settled(): Promise<boolean> {
    const [ours, theirs] = await Promise.all([
      info(this.#source.server, 'replication'),
      info(this.#target.server, 'replication'),
    ]);
    return (
      theirs.get('master_link_status') === 'up' && theirs.get('slave_repl_offset') === ours.get('master_repl_offset')
    );
  }

  async stop(): Promise<null> {
    await this.dispose();
    await ask(this.#target.server, 'REPLICAOF', 'NO', 'ONE');
    return null;
  }

  async dispose(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #follow(): Promise<void> {
    if ((await info(this.#target.server, 'replication')).get('role') !== 'master' || this.#timer === null) return;
    const { host, port } = this.#source.proxy;
    await ask(this.#target.server, 'REPLICAOF', host, port);
  }
}
