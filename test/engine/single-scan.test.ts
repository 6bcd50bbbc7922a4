// A node that can not be asked which slots it has: the scan goes on, and its end does not claim what nobody knows.
import { expect, test } from 'vitest';
import { SingleScan } from '../../source/engine/scan/single-scan.ts';

const NOWHERE = { host: '127.0.0.1', port: 1 };

test('is told at the end, and breaks nothing', async () => {
  const scan = new SingleScan({
    tls: null,
    credentials: { username: null, password: null },
    connectTimeoutMs: 1000,
    readsReplica: false,
    clientName: 'redferry:test:slots',
  });
  await scan.begins(NOWHERE);
  expect(await scan.ended(NOWHERE)).toMatch(/could not be asked: 127\.0\.0\.1:1 could not be reached/);
});
