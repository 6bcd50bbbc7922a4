import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { toEndpoint } from '../../source/config/endpoint.ts';
import { defaultSettings, type SourceSettings } from '../../source/config/schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'redferry-endpoint-'));
afterAll(() => rmSync(directory, { recursive: true }));

const settings = (own: Partial<SourceSettings>): SourceSettings => ({ ...defaultSettings().source, ...own });

test('an address alone', () => {
  expect(toEndpoint(settings({ address: 'redis://u:p@db1', preferReplica: true }))).toEqual({
    scheme: 'redis',
    nodes: [{ host: 'db1', port: 6379 }],
    masterName: null,
    credentials: { username: 'u', password: 'p' },
    sentinelCredentials: { username: null, password: null },
    tls: null,
    preferReplica: true,
    addressMap: {},
    connectTimeoutMs: 5000,
  });
});

test('settings go before the address, and a target has no preferReplica', () => {
  const { credentials } = toEndpoint(settings({ address: 'redis://u:p@db1', password: 'q' }));
  expect(credentials).toEqual({ username: 'u', password: 'q' });
  expect(toEndpoint({ ...defaultSettings().target, address: 'db1' }).preferReplica).toBe(false);
});

test('sentinels have credentials of their own', () => {
  const endpoint = toEndpoint(settings({ address: 'redis-sentinel://:p@h/m', sentinel: { password: 's' } }));
  expect(endpoint.credentials.password).toBe('p');
  expect(endpoint.sentinelCredentials.password).toBe('s');
});

test('TLS by the scheme or by the settings, with files', () => {
  const standard = { ca: null, cert: null, key: null, serverName: null, verify: true };
  expect(toEndpoint(settings({ address: 'rediss://db1' })).tls).toEqual(standard);
  expect(toEndpoint(settings({ address: 'db1', tls: { verify: false } })).tls).toEqual({ ...standard, verify: false });
  const caFile = join(directory, 'ca.pem');
  writeFileSync(caFile, 'PEM');
  expect(toEndpoint(settings({ address: 'db1', tls: { caFile, verify: true } })).tls?.ca).toBe('PEM');
});

test.each([
  [{ caFile: '/none/such.pem', verify: true }, 'tls.caFile: /none/such.pem cannot be read: there is no such file.'],
  [{ certFile: 'a.pem', verify: true }, 'belong together'],
])('%j is an error', (tls, message) => {
  expect(() => toEndpoint(settings({ address: 'db1', tls }))).toThrow(message);
});

test('no address is an error', () => {
  expect(() => toEndpoint(defaultSettings().source)).toThrow('no host');
});
