// TLS against a real server with a certificate made on the spot: verified, refused, without it, and with a client's own.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findFreePort } from '../../source/demo/free-port.ts';
import { startServer } from '../../source/demo/local-servers.ts';
import { discoverTopology } from '../../source/topology/discover.ts';
import type { NodeAddress, TlsSettings } from '../../source/topology/endpoint.ts';
import { endpointOf } from '../support/migration.ts';

const folder = mkdtempSync(join(tmpdir(), 'redferry-tls-'));
afterAll(() => rmSync(folder, { recursive: true }));
const cert = join(folder, 'cert.pem');
const key = join(folder, 'key.pem');
const plain: TlsSettings = { ca: null, cert: null, key: null, serverName: null, verify: true };
let node: NodeAddress = { host: '127.0.0.1', port: 0 };
let stop = async (): Promise<void> => {};

/** Some builds of the server have no TLS, and openssl may not be there. */
const possible = spawnSync('openssl', ['version']).status === 0;

describe.runIf(possible)('TLS', () => {
  beforeAll(async () => {
    const names = ['-subj', '/CN=redis.example.net', '-addext', 'subjectAltName=DNS:redis.example.net'];
    const files = ['-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...names, ...files], {
      stdio: 'ignore',
    });
    const port = await findFreePort('127.0.0.1');
    const certificates = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
    const server = await startServer({
      args: ['--tls-port', String(port), '--tls-auth-clients', 'yes', ...certificates],
    });
    node = { host: '127.0.0.1', port };
    stop = () => server.stop();
  });
  afterAll(() => stop());

  const discover = (tls: TlsSettings | null) => discoverTopology(endpointOf(node, { tls }));
  const own = (): TlsSettings => {
    const pem = readFileSync(cert, 'utf8');
    return { ca: pem, cert: pem, key: readFileSync(key, 'utf8'), serverName: 'redis.example.net', verify: true };
  };

  test('with authority, name and client certificate', async () => {
    expect((await discover(own())).kind).toBe('standalone');
    expect((await discover({ ...own(), ca: null, serverName: null, verify: false })).kind).toBe('standalone');
  });

  test('each missing piece is named', async () => {
    await expect(discover(plain)).rejects.toThrow('set tls.caFile');
    await expect(discover({ ...own(), serverName: null })).rejects.toThrow('set tls.serverName');
    await expect(discover({ ...own(), cert: null, key: null })).rejects.toThrow('set tls.certFile and tls.keyFile');
    await expect(discover(null)).rejects.toThrow('rediss://');
  });
});
