// `redferry validate`: both sides are asked directly, by sample or in full; progress, verdict, exports, exit code.
import { describeAddress } from '../config/address.ts';
import type { ValidateCommand } from '../config/parsed-command.ts';
import { toPlace } from '../config/place.ts';
import { settingsFrom } from '../config/settings-from.ts';
import { EXIT, type ExitCode, FerryError, messageOf } from '../engine/errors.ts';
import type { Repaired } from '../engine/recopy/difference-repair.ts';
import { printable } from '../ui/cell-width.ts';
import { DifferenceFile, differenceLine } from '../validation/difference-file.ts';
import { htmlReport } from '../validation/html-report.ts';
import type { Difference } from '../validation/report.ts';
import { parseSize } from '../validation/sample-size.ts';
import type { ValidateProgress } from '../validation/validate-progress.ts';
import type { ValidateResult } from '../validation/validate-result.ts';
import { Validation } from '../validation/validation.ts';
import { exact, percent } from '../validation/verdict.ts';
import { comparedSides } from './compare-sides.ts';
import { mayRepair, repairAfter, runWarning } from './repair-after.ts';
import { newRunName } from './sync.ts';
import { writePage } from './validation-setup.ts';

/** Differences that are printed one by one, and all that are told with --json. */
const PRINTED = 20;
const KEPT = 1000;
/** Of a repair; what is beyond is found by the next one. */
const MOST_REPAIRED = 100_000;
/** Without a terminal a line of progress this often. */
const PLAIN_PROGRESS_MS = 10_000;

/** @returns 0, 4 when there are differences that were not repaired, 130 or 143 when interrupted. @throws FerryError when a side can not be asked. */
export async function validate(command: ValidateCommand): Promise<number> {
  const { settings, warnings } = settingsFrom(command);
  for (const warning of warnings) process.stderr.write(`redferry: ${warning}\n`);
  const run = newRunName(new Date());
  const { validation } = settings;
  const sample = parseSize(command.size ?? validation.sample);
  const toleranceMs = command.toleranceMs ?? validation.ttlToleranceMs;
  const { source, target, scope, partial } = await comparedSides(settings);
  if (command.repair !== null) {
    await mayRepair(command.repair, settings.target.address, toPlace(settings.target), target);
  }
  const warning = await runWarning(toPlace(settings.target), target);
  if (warning !== null) process.stderr.write(`redferry: ${warning}\n`);
  const stop = new AbortController();
  let interrupted: ExitCode | null = null;
  const interrupt = (exitCode: ExitCode) => (): void => {
    interrupted = exitCode;
    stop.abort(new FerryError('The comparison was stopped.', { code: 'interrupted', exitCode }));
  };
  const onInterrupt = interrupt(EXIT.interrupted);
  const onTerminate = interrupt(EXIT.terminated);
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onTerminate);
  const tell = new Teller(run, command.json);
  const lines = command.exports.filter((path) => !isPage(path)).map((path) => new DifferenceFile(path));
  try {
    const [file] = lines;
    const { result, differences, bothSides } = await new Validation({
      source,
      target,
      sample,
      scope,
      sourceOnly: command.sourceOnly || partial,
      keysPerSecond: command.rate ?? validation.keysPerSecond,
      seed: command.seed ?? undefined,
      toleranceMs,
      stateFile: sample === null ? command.stateFile : null,
      maxDifferences: command.repair === null ? KEPT : MOST_REPAIRED,
      showSides: command.exports.some(isPage) ? KEPT : 0,
      onDifference: (difference) => {
        for (const to of lines) to.write(differenceLine(difference));
        tell.difference(difference);
      },
      ...(file === undefined
        ? {}
        : {
            exported: {
              bytes: () => file.bytes,
              cutTo: (bytes: number) => {
                for (const to of lines) to.cutTo(bytes);
              },
            },
          }),
      onProgress: (progress) => tell.progress(progress),
      signal: stop.signal,
    }).run();
    const finishedAt = new Date();
    const names = {
      source: describeAddress(settings.source.address),
      target: describeAddress(settings.target.address),
    };
    for (const to of lines) to.write({ v: 1, run, event: 'result', time: finishedAt.toISOString(), ...result });
    for (const path of command.exports.filter(isPage)) {
      writePage(path, htmlReport({ run, ...names, finishedAt, result, differences, bothSides }));
    }
    const repaired =
      command.repair === null || differences.length === 0
        ? null
        : await repairAfter({ run, differences, source, target, toleranceMs });
    tell.result(result, differences, repaired);
    return result.different > (repaired?.repaired ?? 0) ? EXIT.different : EXIT.completed;
  } catch (error) {
    tell.end();
    if (interrupted === null) throw error;
    const goOn = sample === null && command.stateFile !== null;
    const hint = goOn ? ` The same command goes on with ${command.stateFile}.` : '';
    process.stderr.write(`redferry: ${messageOf(error)}${hint}\n`);
    return interrupted;
  } finally {
    for (const to of lines) to.close();
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onTerminate);
  }
}

function isPage(path: string): boolean {
  return /\.html?$/i.test(path);
}

/** Says how it goes: JSON lines, or lines for people with progress on stderr. */
class Teller {
  readonly #run: string;
  readonly #json: boolean;
  readonly #redraws: boolean;
  #told = 0;
  #progressAtMs = 0;

  constructor(run: string, json: boolean) {
    this.#run = run;
    this.#json = json;
    this.#redraws = !json && process.stderr.isTTY === true;
  }

  progress(progress: ValidateProgress): void {
    if (this.#json) {
      this.#line('progress', progress);
      return;
    }
    if (this.#redraws) {
      process.stderr.write(`\r\u001b[K${progressLine(progress)}`);
      return;
    }
    const nowMs = Date.now();
    if (nowMs - this.#progressAtMs < PLAIN_PROGRESS_MS) return;
    this.#progressAtMs = nowMs;
    process.stderr.write(`${progressLine(progress)}\n`);
  }

  difference(difference: Difference): void {
    if (this.#json && this.#told++ < KEPT) this.#line('difference', differenceLine(difference));
  }

  /** @param repaired what a repair came to; null when none was asked for. */
  result(result: ValidateResult, differences: readonly Difference[], repaired: Repaired | null): void {
    this.end();
    if (repaired !== null) this.#repaired(repaired);
    if (this.#json) this.#line('result', result);
    else for (const text of resultLines(result, differences)) process.stdout.write(`${text}\n`);
  }

  #repaired({ repaired, left }: Repaired): void {
    if (this.#json) this.#line('repaired', { repaired, left });
    else process.stdout.write(`${exact(repaired)} keys were copied again and are equal now, ${exact(left)} are not.\n`);
  }

  /** Takes the line of progress away. */
  end(): void {
    if (this.#redraws) process.stderr.write('\r\u001b[K');
  }

  #line(event: string, body: object): void {
    process.stdout.write(
      `${JSON.stringify({ v: 1, run: this.#run, event, time: new Date().toISOString(), ...body })}\n`,
    );
  }
}

function progressLine(progress: ValidateProgress): string {
  const { looking, done, total, different, suspects, keysPerSecond, etaSeconds, paused } = progress;
  const what = paused
    ? 'paused'
    : { source: 'comparing', target: 'looking for extra keys', suspects: 'looking again' }[looking];
  const rate = keysPerSecond === null ? '' : `, ${exact(Math.round(keysPerSecond))}/s`;
  const eta = etaSeconds === null || paused ? '' : `, ${Math.ceil(etaSeconds)} s left`;
  const open = suspects > 0 ? `, ${exact(suspects)} to look at again` : '';
  return `${what}: ${exact(done)} of ${exact(total)} keys${rate}${eta}, ${exact(different)} different${open}`;
}

function resultLines(result: ValidateResult, differences: readonly Difference[]): string[] {
  const lines = [result.verdict];
  const { missing, extra, type, value, ttl } = result;
  if (result.different > 0) {
    lines.push(`  missing ${missing}, extra ${extra}, type ${type}, value ${value}, expiry ${ttl}`);
    for (const { database, key, detail } of differences.slice(0, PRINTED)) {
      lines.push(`  db ${database} ${printable(key.toString('utf8'))}: ${printable(detail)}`);
    }
    const more = result.different - Math.min(PRINTED, differences.length);
    if (more > 0) lines.push(`  and ${exact(more)} more; --export FILE has all of them`);
  }
  for (const { side, address, keys, looked, different, bound } of result.shards) {
    const most = bound === null || bound.confidence === 1 ? '' : `, at most ${percent(bound.fraction)} different`;
    lines.push(
      `  ${side} ${printable(address)}: ${exact(looked)} of ${exact(keys)} keys looked at, ${exact(different)} different${most}`,
    );
  }
  for (const [name, { checked, different, fraction }] of Object.entries(result.types)) {
    const most = result.mode === 'full' ? '' : `, at most ${percent(fraction)} different`;
    lines.push(`  ${printable(name)}: ${exact(checked)} checked, ${exact(different)} different${most}`);
  }
  for (const note of result.notes) lines.push(`  ${printable(note)}`);
  lines.push(
    `  took ${result.seconds.toFixed(1)} s${result.seed === null ? '' : `; --seed ${result.seed} draws the same sample`}`,
  );
  return lines;
}
