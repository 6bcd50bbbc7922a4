// An engine that forwards what MONITOR shows of a standalone, and can be told to be wrong: the self-tests see with it that
// the harness reports a copy that doubled or lost something. Only for kinds of load whose commands say their own outcome.

import { connect, type Socket } from 'node:net';
import { type Command, Connection } from '../../source/validation/connection.ts';
import { waitFor } from '../support/wait.ts';
import type { EngineUnderTest } from './engine.ts';
import type { Side, SideNode } from './side.ts';

export type MirrorFault = 'none' | 'doubling' | 'losing';

/** One increment in so many is applied twice, or not at all. */
const WRONG_EVERY = 50;
/** What else the harness and the servers say; only writes are forwarded. */
const NO_WRITES = new Set([
  'info',
  'ping',
  'select',
  'monitor',
  'command',
  'client',
  'config',
  'scan',
  'exists',
  'get',
]);

export class Mirror implements EngineUnderTest {
  readonly copies = false;
  readonly process = null;
  readonly #source: SideNode;
  readonly #target: SideNode;
  readonly #fault: MirrorFault;
  #socket: Socket | null = null;
  #writer: Connection | null = null;
  #rest = '';
  #increments = 0;
  #open = 0;
  #failure: string | null = null;

  constructor(source: Side, target: Side, fault: MirrorFault) {
    const [from, to] = [source.nodes[0], target.nodes[0]];
    if (from === undefined || to === undefined || source.cluster) throw new Error('the mirror follows a standalone');
    this.#source = from;
    this.#target = to;
    this.#fault = fault;
  }

  get failure(): string | null {
    return this.#failure;
  }

  async start(): Promise<void> {
    const { host, port } = this.#target.server;
    this.#writer = await Connection.open({ host, port });
    let follows = false;
    const socket = connect(this.#source.server.port, this.#source.server.host);
    this.#socket = socket;
    socket.on('error', (error) => {
      this.#failure ??= error.message;
    });
    socket.setEncoding('utf8').on('data', (text: string) => {
      follows = true;
      const lines = (this.#rest + text).split('\r\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#forward(line);
    });
    socket.write('MONITOR\r\n');
    await waitFor(() => follows, { what: 'MONITOR' });
  }

  streaming(): boolean {
    return this.#failure === null;
  }

  settled(): boolean {
    return this.#open === 0;
  }

  async stop(): Promise<string | null> {
    await this.dispose();
    return this.#failure;
  }

  async dispose(): Promise<void> {
    this.#socket
      ?.removeAllListeners('error')
      .on('error', () => {})
      .destroy();
    this.#writer?.close();
  }

  #forward(line: string): void {
    const seen = parseMonitorLine(line);
    const name = String(seen?.command[0]).toLowerCase();
    if (seen === null || NO_WRITES.has(name)) return;
    this.#increments += name === 'incr' ? 1 : 0;
    const wrong = name === 'incr' && this.#increments % WRONG_EVERY === 0;
    if (wrong && this.#fault === 'losing') return;
    const commands = wrong && this.#fault === 'doubling' ? [seen.command, seen.command] : [seen.command];
    this.#open += 1;
    this.#writer?.batch(commands, seen.database).then(
      () => {
        this.#open -= 1;
      },
      (error: Error) => {
        this.#failure ??= error.message;
      },
    );
  }
}

/** `1700000000.123456 [3 127.0.0.1:1234] "incr" "key"`; null for anything else, as the +OK of MONITOR is. */
export function parseMonitorLine(line: string): { readonly database: number; readonly command: Command } | null {
  const [, database, quoted] = /^\+?\d+\.\d+ \[(\d+) [^\]]*\] (.*)$/.exec(line) ?? [];
  if (quoted === undefined) return null;
  const command = [...quoted.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => unescaped(text));
  return { database: Number(database), command };
}

/** The escapes of sdscatrepr in sds.c. */
function unescaped(text: string): string {
  return text.replace(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) => {
    if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }[code] ?? code;
  });
}
