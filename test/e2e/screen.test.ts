// The screen of the real program in a real terminal: a cluster copied into another under live writes, steered by keys as a
// person would, and both sides compared in the end.
import { describe, expect, test } from 'vitest';
import { fillSample } from '../../source/demo/sample-data.ts';
import { startLoad } from '../../source/demo/write-load.ts';
import { compare } from '../support/migration.ts';
import { type Program, spawnProgram } from '../support/pty.ts';
import { waitFor } from '../support/wait.ts';
import { type RunningPair, startPair } from './pair.ts';

const KEYS = 3000;
const SEED = 7;
const FIRST_FRAME_LIMIT_MS = 1500;
const FIRST_FRAME_GOAL_MS = 400;
const SHARDS = ['shard-0', 'shard-1', 'shard-2'] as const;

const startLive = async (): Promise<RunningPair & { readonly load: Awaited<ReturnType<typeof startLoad>> }> => {
  const pair = await startPair();
  await fillSample(pair.source.masters, { keys: KEYS, cluster: true, seed: SEED });
  const load = await startLoad(pair.source.masters, { cluster: true, ratePerSecond: 300, seed: SEED, keys: KEYS });
  return { ...pair, load };
};

/** What the screen says behind `name`: its panel in the overview, from its title to its lower border. */
const panelOf = (screen: string, name: string): string => {
  const rows = screen.split('\n');
  const from = rows.findIndex((row) => row.includes(`${name} `) && /[┌┏]/.test(row));
  const to = rows.findIndex((row, at) => at > from && /[└┗]/.test(row));
  return from < 0 ? '' : rows.slice(from, to).join('\n');
};

/** The applied offset that the detail view shows. */
const appliedOn = (screen: string): number => {
  const shown = /offset\s+([\d,]+) applied/.exec(screen)?.[1];
  if (shown === undefined) throw new Error(`No applied offset on the screen:\n${screen}`);
  return Number(shown.replaceAll(',', ''));
};

/** No row may go on in the next, the head stands in the first row, the keys in the last. */
const expectToFit = (program: Program, rows: number): void => {
  const lines = program.screen().split('\n');
  expect(lines).toHaveLength(rows);
  expect(program.wrappedRows()).toBe(0);
  expect(lines[0]).toMatch(/→|%/);
  expect(lines[1]).not.toMatch(/redis:\/\//);
  expect(lines.at(-1)).not.toBe('');
};

/** The whole screen is drawn for this size: head in the first row, keys or a sentence in the last. */
const untilDrawn = (program: Program, rows: number): Promise<void> =>
  program.until((screen) => {
    const lines = screen.split('\n');
    return lines.length === rows && /→|%/.test(lines[0] ?? '') && lines.at(-1) !== '' && screen.includes('shard-2');
  });

describe('the screen', () => {
  test('shows, pauses, resumes, resizes and leaves, and everything arrives', async () => {
    const { source, target, args, load } = await startLive();
    const startedAt = performance.now();
    const program = spawnProgram({ args });
    await program.until(/→/);
    const firstFrameMs = performance.now() - startedAt;
    console.log(`first frame after ${Math.round(firstFrameMs)} ms (goal ${FIRST_FRAME_GOAL_MS} ms)`);
    expect(firstFrameMs).toBeLessThan(FIRST_FRAME_LIMIT_MS);
    expect(program.isAlternate()).toBe(true);

    await program.until((screen) => SHARDS.every((name) => panelOf(screen, name).includes('streaming')), 30_000);
    expectToFit(program, 24);

    program.press('?');
    await program.until('move; the arrow keys too');
    expectToFit(program, 24);
    program.press('?');
    await program.until((screen) => !screen.includes('move; the arrow keys too') && panelOf(screen, 'shard-1') !== '');

    program.press('\r');
    await program.until('replid');
    expect(program.screen()).toMatch(/slots +0-5460/);
    program.press('\x1b');
    await program.until((screen) => !screen.includes('replid') && panelOf(screen, 'shard-1') !== '');

    program.press('p');
    await program.until((screen) => /streaming \S+ \| paused/.test(panelOf(screen, 'shard-0')));
    expect(panelOf(program.screen(), 'shard-0')).toContain('paused by you');
    expect(panelOf(program.screen(), 'shard-1')).not.toContain('paused');
    const written = load.stats().commands;
    // Its lag grows while the source is still written to; the other two go on.
    await waitFor(() => load.stats().commands > written + 300, { what: 'more writes on the source' });
    await program.until((screen) => /lag\s+[1-9]\d*(\.\d)?s/.test(panelOf(screen, 'shard-0')));
    program.press('2');
    await program.until(/─ shard-0 [\s\S]*paused by you/);
    const stands = appliedOn(program.screen());
    for (const name of ['shard-1', 'shard-2']) {
      program.press('j');
      await program.until(new RegExp(`─ ${name} `));
      const before = appliedOn(program.screen());
      await program.until((screen) => appliedOn(screen) > before);
    }
    program.press('kk');
    // The title can be there before the lines below it: a frame may arrive in two pieces.
    await program.until((screen) => /─ shard-0 /.test(screen) && appliedOn(screen) === stands);
    program.press('1');
    await program.until(/1 paused/);
    program.press('p');
    await program.until((screen) => !screen.includes('1 paused'));
    await program.until((screen) => /lag\s+0\.0s/.test(panelOf(screen, 'shard-0')));
    program.press('3');
    await program.until((screen) => /Paused shard-0/.test(screen) && /Resumed shard-0/.test(screen));
    expectToFit(program, 24);
    program.press('1');

    program.press('P');
    await program.until('Pause all 3 shards?');
    program.press('y');
    await program.until('3 paused');
    await program.until((screen) => SHARDS.every((name) => panelOf(screen, name).includes('paused by you')));
    program.press('P');
    await program.until('Resume 3 paused shards?');
    program.press('y');
    await program.until((screen) => !screen.includes('3 paused') && /lag\s+0\.0s/.test(screen));

    program.press('m');
    await program.until((screen) => /shard\s+state\s+progress/.test(screen) && panelOf(screen, 'shard-0') === '');
    expectToFit(program, 24);
    program.press('m');
    await program.until((screen) => panelOf(screen, 'shard-2') !== '');

    for (const [columns, rows] of [
      [200, 50],
      [60, 16],
      [80, 24],
    ] as const) {
      program.resize(columns, rows);
      await untilDrawn(program, rows);
      expectToFit(program, rows);
    }
    await program.until((screen) => SHARDS.every((name) => panelOf(screen, name).includes('streaming')));

    const { errors } = await load.stop();
    expect(errors).toBe(0);
    program.press('q');
    await program.until('Stop the migration?');
    program.press('y');
    expect(await program.exit).toEqual({ code: 0, signal: null });
    expectCleanTerminal(program);
    expect(program.normalScreen()).toMatch(/^redferry: completed after .* \(exit code 0\)/);
    for (const name of SHARDS) expect(program.normalScreen()).toMatch(new RegExp(`${name} \\S+: done`));

    const report = await compare(source.masters, target.masters, { sourceCluster: true, targetCluster: true });
    expect(report.differences).toEqual([]);
    expect(report.checked).toBeGreaterThan(KEYS / 2);
  }, 120_000);

  test('has no colours under NO_COLOR, and colours without it', async () => {
    const { args } = await startPair();
    const plain = spawnProgram({ args, env: { NO_COLOR: '1' } });
    await plain.until('3/3 streaming', 30_000);
    plain.press('?');
    await plain.until('move; the arrow keys too');
    plain.press('q');
    await plain.until('Stop the migration?');
    plain.press('y');
    expect(await plain.exit).toEqual({ code: 0, signal: null });
    expect(colourCodes(plain.raw())).toEqual([]);
  });

  test('drains and leaves by itself on SIGTERM, the terminal clean', async () => {
    const { args } = await startPair();
    const program = spawnProgram({ args });
    await program.until('3/3 streaming', 30_000);
    expect(colourCodes(program.raw())).not.toEqual([]);
    program.kill('SIGTERM');
    expect(await program.exit).toEqual({ code: 0, signal: null });
    expectCleanTerminal(program);
    expect(program.normalScreen()).toMatch(/^redferry: completed/);
  });

  test('shows why it was refused, and leaves with the exit code on a key', async () => {
    const { args } = await startPair();
    const program = spawnProgram({ args: ['--source', args[1] ?? '', '--target', args[1] ?? ''] });
    await program.until(/redferry: refused before anything was written/);
    program.press('q');
    expect(await program.exit).toEqual({ code: 5, signal: null });
    expectCleanTerminal(program);
    expect(program.normalScreen()).toMatch(/^redferry: refused .*\n {2}\S/);
  });
});

/** SGR sequences that set a colour; bold and the like are none. */
function colourCodes(raw: string): readonly string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  const sequences = raw.match(/\x1b\[[\d;:]*m/g) ?? [];
  return sequences.filter((sequence) =>
    sequence
      .slice(2, -1)
      .split(/[;:]/)
      .some((code) => /^(3[0-8]|4[0-8]|9[0-7]|10[0-7])$/.test(code)),
  );
}

/** Back on the normal screen, the cursor shown, bracketed paste off. */
function expectCleanTerminal(program: Program): void {
  expect(program.isAlternate()).toBe(false);
  const raw = program.raw();
  expect(raw.lastIndexOf('\x1b[?1049l')).toBeGreaterThan(raw.lastIndexOf('\x1b[?1049h'));
  expect(raw.lastIndexOf('\x1b[?25h')).toBeGreaterThan(raw.lastIndexOf('\x1b[?25l'));
  expect(raw.lastIndexOf('\x1b[?2004l')).toBeGreaterThanOrEqual(raw.lastIndexOf('\x1b[?2004h'));
}
