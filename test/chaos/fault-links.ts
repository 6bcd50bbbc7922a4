// Faults of the network between redferry and the servers, by the proxies: cut, stalled, late, half-open, away.
import type { Direction, TcpProxy } from '../support/tcp-proxy.ts';
import { type Fault, type FaultContext, NOTHING_TO_REPAIR, type Repair } from './fault.ts';

/** One in so many is the whole side's network instead of one shard's. */
const ALL_OF_A_SIDE = 3;

type SideName = 'source' | 'target';

export const cutLink = (side: SideName): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [0, 300],
  weight: 4,
  inject: (context) =>
    onProxies(context, side, (proxy) => {
      proxy.cut();
      return NOTHING_TO_REPAIR;
    }),
});

/** In the middle of a command, as soon as so many bytes more have passed. */
export const cutInside = (side: SideName): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [300, 1500],
  weight: 4,
  inject: (context) =>
    onProxies(context, side, (proxy) => {
      const direction = side === 'target' && context.random.next() < 0.7 ? 'up' : 'down';
      const bytes = context.random.between(1, 5000);
      context.tell({ direction, bytes });
      proxy.cutAfter(direction, bytes);
      return NOTHING_TO_REPAIR;
    }),
});

export const stallLink = (side: SideName): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [200, 3000],
  weight: 3,
  inject: (context) =>
    onProxies(context, side, (proxy) => {
      const direction = context.random.pick<Direction | undefined>(['up', 'down', undefined]);
      context.tell({ direction: direction ?? 'both' });
      proxy.stall(direction);
      return async () => proxy.resume();
    }),
});

/** What was under way arrives when a new link may already have been made: the fence is there for this. */
export const lateLink = (side: SideName): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [500, 8000],
  weight: 3,
  inject: (context) =>
    onProxies(context, side, (proxy) => {
      proxy.hold();
      return async () => proxy.resume();
    }),
});

/** Nobody tells either end: only deadlines and keepalives notice. */
export const halfOpenLink = (side: SideName): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [100, 1000],
  weight: 2,
  inject: (context) =>
    onProxies(context, side, (proxy) => {
      proxy.vanish();
      return NOTHING_TO_REPAIR;
    }),
});

/** Cut, and refused for a while. */
export const noRoute = (side: SideName): Fault => ({
  needs: 'nothing',
  side,
  holdMs: [500, 4000],
  weight: 3,
  inject: (context) =>
    onProxies(context, side, (proxy) => {
      proxy.refuse(true);
      proxy.cut();
      return async () => proxy.refuse(false);
    }),
});

async function onProxies(context: FaultContext, side: SideName, breakIt: (proxy: TcpProxy) => Repair): Promise<Repair> {
  const whole = context.random.between(0, ALL_OF_A_SIDE) === 0;
  const one = await context[side].master(context.shard);
  context.tell({ node: whole ? 'all' : one.server.port });
  const repairs = (whole ? context[side].nodes : [one]).map(({ proxy }) => breakIt(proxy));
  return async () => {
    for (const repair of repairs) await repair();
  };
}
