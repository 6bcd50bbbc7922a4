// A control server on a fake engine, in a folder of its own that goes with the test.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ControlServer, type ControlServerOptions } from '../../source/control/server.ts';
import { createFakeEngine, type FakeEngine, type FakeEngineOptions } from '../support/fake-engine.ts';
import { waitFor } from '../support/wait.ts';

export const RUN = 'run-1';

export interface Stage {
  readonly fake: FakeEngine;
  readonly server: ControlServer;
  readonly folder: string;
}

export function ownFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redferry-control-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'run');
}

/** Opens the server of a run that goes on, its clock 40 s old. */
export async function openStage(
  options: Partial<ControlServerOptions> & { readonly engine?: FakeEngineOptions } = {},
): Promise<Stage> {
  const { engine, folder = ownFolder(), ...others } = options;
  const fake = createFakeEngine({ startMs: Date.now() - 40_000, ...engine });
  fake.advance(40_000);
  const server = await ControlServer.open(fake.engine, {
    ...{ run: RUN, folder, source: 'a', target: 'b', logFile: null, startedAtMs: Date.now() },
    ...others,
  });
  onTestFinished(() => server.close());
  return { fake, server, folder };
}

export interface RawClient {
  readonly socket: Socket;
  /** Every line that came, parsed. */
  readonly lines: readonly Record<string, unknown>[];
  readonly send: (body: object | string) => void;
  readonly until: (what: string, condition: (line: Record<string, unknown>) => boolean) => Promise<void>;
  readonly isClosed: () => boolean;
}

/** A client that speaks bytes, so that it can misbehave. */
export function rawClient(path: string): RawClient {
  const socket = connect(path);
  const lines: Record<string, unknown>[] = [];
  let text = '';
  let isClosed = false;
  socket.setEncoding('utf8');
  socket.on('data', (piece: string) => {
    text += piece;
    const parts = text.split('\n');
    text = parts.pop() ?? '';
    lines.push(...parts.map((part): Record<string, unknown> => JSON.parse(part)));
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    isClosed = true;
  });
  onTestFinished(() => {
    socket.destroy();
  });
  return {
    socket,
    lines,
    send: (body) => socket.write(typeof body === 'string' ? body : `${JSON.stringify({ v: 1, ...body })}\n`),
    until: async (what, condition) => {
      await waitFor(() => lines.some(condition), { what });
    },
    isClosed: () => isClosed,
  };
}
