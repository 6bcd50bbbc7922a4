import { describe, expect, it } from 'vitest';
import { explainNoAnswer, explainSilence } from '../../source/engine/shard/silence.ts';

describe('explainSilence', () => {
  it('speaks when a source that should be heard is not', () => {
    expect(explainSilence('waiting-snapshot', 20_000, 'a:1')).toBe(
      'the source a:1 has sent nothing for 20 s: is it alive, and is the way to it open?',
    );
    expect(explainSilence('streaming', 40_000, 'a:1')).toContain('40 s');
  });

  it('is patient, and expects nothing of a shard that has no link', () => {
    expect(explainSilence('waiting-snapshot', 5000, 'a:1')).toBeNull();
    expect(explainSilence('streaming', 20_000, 'a:1')).toBeNull();
    expect(explainSilence('retrying', 900_000, 'a:1')).toBeNull();
  });
});

describe('explainNoAnswer', () => {
  it('speaks when a source that has answered does not any more', () => {
    expect(explainNoAnswer(5000, 20_000, 'a:1')).toBe(
      'the source a:1 has answered nothing for 10 s: what it has written since is not known',
    );
    expect(explainNoAnswer(5000, 10_000, 'a:1')).toBeNull();
  });

  it('expects nothing of a source that may not be asked', () => {
    expect(explainNoAnswer(null, 900_000, 'a:1')).toBeNull();
  });
});
