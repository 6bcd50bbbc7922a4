import { describe, expect, it } from 'vitest';
import { explainWait, parseFacts } from '../../source/engine/run/source-probe.ts';

const INFO = [
  '# Persistence',
  'loading:0',
  'rdb_bgsave_in_progress:1',
  'aof_rewrite_in_progress:0',
  'current_save_keys_processed:120',
  'current_save_keys_total:300',
  '# Replication',
  'slave0:ip=10.0.0.9,port=6380,state=online,offset=5,lag=0',
  'slave1:ip=10.0.0.7,port=0,state=wait_bgsave,offset=0,lag=0',
  'master_repl_offset:4711',
].join('\r\n');

describe('parseFacts', () => {
  it('reads what the lag and the waits need, and finds us among the replicas', () => {
    expect(parseFacts(INFO, 99)).toEqual({
      offset: 4711,
      readAtMs: 99,
      savingSnapshot: true,
      rewritingAof: false,
      loading: false,
      replicaState: 'wait_bgsave',
      savedKeys: 120,
      keysToSave: 300,
    });
  });

  it('knows nothing where the server says nothing', () => {
    expect(parseFacts('# Server\r\n', 1)).toMatchObject({ offset: null, replicaState: null, keysToSave: null });
  });
});

describe('explainWait', () => {
  const facts = parseFacts(INFO, 0);

  it('names the reason while the snapshot is awaited', () => {
    expect(explainWait('waiting-snapshot', facts)).toBe('the source writes a snapshot: 120 of 300 keys');
    expect(explainWait('waiting-snapshot', { ...facts, replicaState: 'send_bulk' })).toMatch(/busy with a BGSAVE/);
    expect(explainWait('waiting-snapshot', { ...facts, savingSnapshot: false })).toMatch(/diskless delay/);
    expect(explainWait('waiting-snapshot', { ...facts, rewritingAof: true })).toMatch(/rewriting its AOF/);
    expect(explainWait('waiting-snapshot', { ...facts, loading: true })).toMatch(/loading/);
  });

  it('says nothing in other states or without facts', () => {
    expect(explainWait('streaming', facts)).toBeNull();
    expect(explainWait('waiting-snapshot', null)).toBeNull();
  });
});
