// The present state of one shard, since when, and why it waits. Only the table of shard-state.ts moves it.
import type { ShardState } from '../contract/shard-snapshot.ts';
import { steadyMs } from '../steady-clock.ts';
import { nextShardState, type ShardEvent } from './shard-state.ts';

export class ShardLife {
  state: ShardState = 'connecting';
  /** By steadyMs. */
  sinceMs = steadyMs();
  /** One sentence, or null. */
  waitingFor: string | null = null;
  lastError: string | null = null;

  /** A source has framed its snapshot once, or gone on with a stream: what breaks from now on is worth another attempt. */
  hasBegun = false;

  /** It has caught up since somebody set this back. */
  hasStreamed = false;

  on(event: ShardEvent): void {
    if (event === 'caught-up') this.hasStreamed = true;
    if (event === 'snapshot-begins' || event === 'continued') this.hasBegun = true;
    const next = nextShardState(this.state, event);
    if (next !== this.state) this.sinceMs = steadyMs();
    this.state = next;
  }

  waitFor(reason: string | null): void {
    this.waitingFor = reason;
  }

  setError(message: string): void {
    this.lastError = message;
  }

  clearError(): void {
    this.lastError = null;
  }
}
