// What the tests of file targets share: real servers with data, and the way of a snapshot from a file into a sink.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askServer } from '../../../source/demo/ask-server.ts';
import type { RunningServer } from '../../../source/demo/local-servers.ts';
import { fillSample } from '../../../source/demo/sample-data.ts';
import { ByteWindow } from '../../../source/readers/byte-window.ts';
import { JsonlParser } from '../../../source/readers/jsonl-parser.ts';
import { type ParseStatus, SnapshotParser } from '../../../source/readers/snapshot-parser.ts';
import type { SnapshotSink } from '../../../source/readers/snapshot-sink.ts';
import { Connection } from '../../../source/validation/connection.ts';
import { compareAll } from '../../../source/validation/full-compare.ts';
import type { CompareReport } from '../../../source/validation/report.ts';
import { FileOutput } from '../../../source/writers/file/file-output.ts';
import { RdbFile, type RdbFileOptions } from '../../../source/writers/file/rdb-file.ts';
import { testServer } from '../../support/servers.ts';

const servers = fileURLToPath(new URL('../../../.cache/servers/', import.meta.url));

/** Binaries to test with; the system's redis-server has no path here. */
export const BINARIES = {
  'Redis 6.0': `${servers}redis-6.0/redis-server`,
  'Redis 7.0': 'redis-server',
  'Redis 8.0': `${servers}redis-8.0/redis-server`,
  'Valkey 8.1': `${servers}valkey-8.1/valkey-server`,
  'Valkey 9': `${servers}valkey-9/valkey-server`,
} as const;
export type ServerName = keyof typeof BINARIES;

/** A folder of the test file's own. */
export function testFolder(): { readonly path: string; file(name: string): string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'redferry-files-'));
  let count = 0;
  return {
    path,
    file: (name) => join(path, `${++count}-${name}`),
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** A server whose DEBUG answers. */
export function debugServer(name: ServerName, args: readonly string[] = []): Promise<RunningServer> {
  const debug = name === 'Redis 6.0' ? [] : ['--enable-debug-command', 'yes'];
  return testServer({ binary: BINARIES[name], args: [...debug, ...args] });
}

/** A server that has loaded an RDB file. */
export function serverWithRdb(name: ServerName, file: string): Promise<RunningServer> {
  const at = file.lastIndexOf('/');
  return debugServer(name, ['--dir', file.slice(0, at), '--dbfilename', file.slice(at + 1)]);
}

/** What the server says of all it holds: equal for equal data on the same version. */
export function digestOf(server: RunningServer): Promise<string> {
  return askServer(server, ['DEBUG', 'DIGEST']);
}

/** Every difference in keys, values, expiries, groups. */
export function compareServers(a: RunningServer, b: RunningServer): Promise<CompareReport> {
  return compareAll({
    source: { addresses: [a], cluster: false },
    target: { addresses: [b], cluster: false },
    entriesRead: true,
  });
}

export async function call(
  server: RunningServer,
  commands: readonly (readonly (string | number | Buffer)[])[],
  database = 0,
): Promise<void> {
  const connection = await Connection.open(server);
  try {
    for (const reply of await connection.batch(commands, database)) if (reply instanceof Error) throw reply;
  } finally {
    connection.close();
  }
}

/** Fills a server with keys of every type in two databases, and gives its RDB. */
export async function sampleRdb(server: RunningServer, keys: number): Promise<Buffer> {
  await fillSample([server], { keys, cluster: false, seed: 3, databases: [0, 5] });
  return savedRdb(server);
}

export async function savedRdb(server: RunningServer): Promise<Buffer> {
  await askServer(server, ['SAVE'], 30_000);
  return readFileSync(join(server.directory, 'dump.rdb'));
}

interface Parser {
  parse(): ParseStatus;
  inputEnded?(): void;
}

async function feed(bytes: Buffer, window: ByteWindow, parser: Parser, sink: SnapshotSink, piece: number) {
  let given = 0;
  const source = {
    read(into: Uint8Array, offset: number, length: number): number {
      const count = Math.min(piece, length, bytes.length - given);
      into.set(bytes.subarray(given, given + count), offset);
      given += count;
      return count;
    },
  };
  for (;;) {
    const status = parser.parse();
    if (status === 'end') return;
    if (status === 'blocked') {
      while (sink.saturated) await new Promise((resolve) => setImmediate(resolve));
    } else if (window.fill(source) === 0) {
      if (parser.inputEnded === undefined) throw new Error('the snapshot is cut');
      parser.inputEnded();
    }
  }
}

export interface FeedOptions {
  /** Larger values are big ones. */
  readonly valueBytes?: number;
  readonly pieceBytes?: number;
}

export function feedRdb(rdb: Buffer, sink: SnapshotSink, options: FeedOptions = {}): Promise<void> {
  const window = new ByteWindow();
  const parser = new SnapshotParser(window, sink, { valueBytes: options.valueBytes ?? 2 ** 30 });
  return feed(rdb, window, parser, sink, options.pieceBytes ?? 64 * 1024);
}

export function feedJsonl(text: Buffer, sink: SnapshotSink, options: FeedOptions = {}): Promise<void> {
  const window = new ByteWindow();
  return feed(text, window, new JsonlParser(window, sink), sink, options.pieceBytes ?? 64 * 1024);
}

/** What a file target said. */
export class Told {
  readonly losses = new Set<string>();
  readonly leftOutThings: string[] = [];
  readonly refusals: string[] = [];

  lost(loss: string): void {
    this.losses.add(loss);
  }

  leftOut(what: string): void {
    this.leftOutThings.push(what);
  }

  refused(_database: number, key: Buffer, reason: string): void {
    this.refusals.push(`${key.toString('latin1')}: ${reason}`);
  }
}

/** Writes an RDB file from what `feeding` gives its sink. */
export async function writeRdb(
  path: string,
  options: RdbFileOptions,
  feeding: (sink: SnapshotSink) => Promise<void>,
): Promise<Told> {
  const told = new Told();
  const output = await FileOutput.open(path);
  const file = new RdbFile(output, told, options);
  await feeding(file);
  await file.finish();
  return told;
}

/** What the server's own checker says of an RDB. */
export function checkRdb(name: ServerName, file: string): string {
  if (name === 'Redis 7.0') return execFileSync('redis-check-rdb', [file], { encoding: 'utf8' });
  // The others are scripts that run a program of their suite; its checker lies beside it.
  const script = readFileSync(BINARIES[name], 'utf8').replace(/-server(" "\$@")/, '-check-rdb$1');
  return execFileSync('sh', ['-c', script, BINARIES[name], file], { encoding: 'utf8' });
}
