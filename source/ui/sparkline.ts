// Histories drawn with block characters: one row high in a panel, several rows high in the detail view. Pure.
// Samples are gathered into buckets whose borders stand still in time, so that between two borders only the last
// character changes and a line at rest is not sent again each second.
import type { Glyphs } from './glyphs.ts';

/** Least seconds for one character in a panel: charts that move each second cost the link more than they tell. */
const PANEL_BUCKET_SECONDS = 5;

/** What a chart is drawn from and into. */
export interface ChartFrame {
  readonly width: number;
  readonly rows: number;
  /** When the samples end, unix ms. */
  readonly endMs: number;
  /** Least seconds for one character. */
  readonly bucketSeconds?: number;
}

/**
 * The peaks of the last `width` buckets, oldest first; null where the history does not reach.
 * `samples` has one value a second.
 */
export const buckets = (
  samples: readonly number[],
  { width, endMs, bucketSeconds = PANEL_BUCKET_SECONDS }: Omit<ChartFrame, 'rows'>,
): (number | null)[] => {
  if (width <= 0) return [];
  const seconds = Math.max(bucketSeconds, Math.ceil(samples.length / width));
  const result: (number | null)[] = new Array<number | null>(width).fill(null);
  // How many samples the newest, still growing bucket holds.
  let end = samples.length;
  let start = end - ((Math.floor(endMs / 1000) % seconds) + 1);
  for (let column = width - 1; column >= 0 && end > 0; column -= 1) {
    let peak = 0;
    for (let index = Math.max(0, start); index < end; index += 1) peak = Math.max(peak, samples[index] ?? 0);
    result[column] = peak;
    end = start;
    start -= seconds;
  }
  return result;
};

/** Steps of a scale: few enough that it changes seldom, close enough that no chart is half empty. */
const SCALE_STEPS = [1, 1.5, 2, 3, 4, 5, 6, 8, 10] as const;

/** The top of a chart: the next round figure at or above the peak. */
export const scaleTop = (peak: number): number => {
  if (peak <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(peak));
  for (const factor of SCALE_STEPS) {
    if (peak <= factor * power) return factor * power;
  }
  return peak;
};

/** A history as lines, top line first. */
export const chart = (samples: readonly number[], frame: ChartFrame, { spark }: Glyphs): string[] => {
  const { rows } = frame;
  const peaks = buckets(samples, frame);
  const top = scaleTop(Math.max(0, ...peaks.map((peak) => peak ?? 0)));
  const steps = spark.length;
  const lines: string[] = [];
  for (let row = rows - 1; row >= 0; row -= 1) {
    let line = '';
    for (const peak of peaks) {
      // Whatever is not zero shows at least the lowest glyph, in the lowest row.
      const height = peak === null ? -1 : Math.ceil((peak / top) * steps * rows);
      const here = height - row * steps;
      if (here > 0) line += spark[Math.min(steps, here) - 1] ?? ' ';
      else line += peak !== null && row === 0 ? (spark[0] ?? ' ') : ' ';
    }
    lines.push(line);
  }
  return lines;
};

/** A history of one line. */
export const sparkline = (samples: readonly number[], width: number, endMs: number, glyphs: Glyphs): string =>
  chart(samples, { width, rows: 1, endMs }, glyphs)[0] ?? '';

/** A progress bar of exactly `width` cells; empty when the share is not known. */
export const progressBar = (share: number | null, width: number, glyphs: Glyphs): string => {
  const inner = Math.max(0, width - glyphs.barOpen.length - glyphs.barClose.length);
  const full = Math.floor(inner * Math.min(1, Math.max(0, share ?? 0)));
  return glyphs.barOpen + glyphs.barFull.repeat(full) + glyphs.barEmpty.repeat(inner - full) + glyphs.barClose;
};
