import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../../source/protocol/resp-encode.ts';
import { Batch } from '../../source/writers/batch.ts';
import { planRetry } from '../../source/writers/retry-plan.ts';

function batchOf(
  commands: readonly string[][],
  marks: { again?: number[]; refused?: number[]; database?: number } = {},
): Batch {
  const bytes = Buffer.concat(commands.map((command) => encodeCommand(command)));
  const batch = new Batch(bytes, 'stream', 0, marks.database ?? 0);
  batch.length = bytes.length;
  batch.commands = commands.length;
  batch.again = marks.again ?? [];
  batch.refused = marks.refused ?? [];
  return batch;
}

function commandsOf(bytes: Buffer): string[][] {
  const batch = new Batch(bytes, 'stream', 0, 0);
  batch.length = bytes.length;
  return [...batch.arguments()].map((args) => args.map(String));
}

describe('planRetry', () => {
  it('sends again what was put off, in its order and database', () => {
    const first = batchOf(
      [
        ['SET', 'a', '1'],
        ['SELECT', '2'],
        ['SET', 'b', '1'],
        ['SET', 'c', '1'],
      ],
      { again: [0, 3], database: 1 },
    );
    const second = batchOf([['SET', 'd', '1']], { again: [0], database: 2 });
    const plan = planRetry([first, second], 5);
    expect(commandsOf(plan.bytes)).toEqual([
      ['SELECT', '1'],
      ['SET', 'a', '1'],
      ['SELECT', '2'],
      ['SET', 'c', '1'],
      ['SET', 'd', '1'],
      ['SELECT', '5'],
    ]);
    expect(plan.commands).toBe(6);
    expect(plan.overtaken).toEqual([]);
  });

  it('repeats a transaction as a whole, without what it was refused for', () => {
    const batch = batchOf([['SET', 'x', '1'], ['MULTI'], ['INCR', 'a'], ['NONSENSE', 'b'], ['EXEC']], {
      again: [4],
      refused: [3],
    });
    expect(commandsOf(planRetry([batch], 0).bytes)).toEqual([['SELECT', '0'], ['MULTI'], ['INCR', 'a'], ['EXEC']]);
  });

  it('names writes that came before an earlier one to their key', () => {
    const batch = batchOf([['LPUSH', 'l', '1'], ['LPOP', 'l'], ['MULTI'], ['EXEC'], ['LPOP', 'other']], { again: [0] });
    expect(planRetry([batch], 0).overtaken.map(({ args }) => args.map(String))).toEqual([['LPOP', 'l']]);
  });

  it('keeps a transaction together that began in an earlier batch', () => {
    const plan = planRetry(
      [batchOf([['MULTI'], ['INCR', 'a']]), batchOf([['INCR', 'b'], ['EXEC']], { again: [0, 1] })],
      0,
    );
    expect(commandsOf(plan.bytes)).toEqual([['SELECT', '0'], ['MULTI'], ['INCR', 'a'], ['INCR', 'b'], ['EXEC']]);
  });
});
