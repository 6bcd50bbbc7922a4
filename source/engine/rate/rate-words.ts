// Rates in words, for people and the audit log, and back from what people type: `20mb`, `5000op`, `20mb 5000op`, `off`.
import { type Rate, UNLIMITED } from './rate-gate.ts';

const UNITS: readonly (readonly [string, number])[] = [
  ['gb', 1024 ** 3],
  ['mb', 1024 ** 2],
  ['kb', 1024],
];

/** `20mb/s and 5000 op/s`, or `no limit`. */
export function rateInWords({ bytesPerSecond, operationsPerSecond }: Rate): string {
  const parts: string[] = [];
  if (bytesPerSecond !== null) parts.push(`${formatSize(bytesPerSecond)}/s`);
  if (operationsPerSecond !== null) parts.push(`${Math.round(operationsPerSecond)} op/s`);
  return parts.length === 0 ? 'no limit' : parts.join(' and ');
}

/** `20mb`, `1.5gb`, as sizes are written in the configuration. */
export function formatSize(bytes: number): string {
  const [unit, size] = UNITS.find(([, least]) => bytes >= least) ?? ['b', 1];
  return `${Number((bytes / size).toPrecision(3))}${unit}`;
}

const PART = /^(\d{1,12}(?:\.\d{1,3})?)(b|kb|mb|gb|op)?(?:\/s)?$/i;

/** The rate in `text`, or null when it is none. A number without a unit is operations. */
export function parseRate(text: string): Rate | null {
  const words = text.trim().toLowerCase().replaceAll(',', ' ').replaceAll(/\s+op/g, 'op').split(/\s+/);
  if (words.length === 1 && (words[0] === 'off' || words[0] === 'full')) return UNLIMITED;
  let rate = UNLIMITED;
  for (const word of words) {
    const [, digits = '', unit = 'op'] = PART.exec(word) ?? [];
    const value = Math.round(Number(digits) * (UNITS.find(([name]) => name === unit)?.[1] ?? 1));
    if (digits === '' || value < 1) return null;
    const key = unit === 'op' ? 'operationsPerSecond' : 'bytesPerSecond';
    if (rate[key] !== null) return null;
    rate = { ...rate, [key]: value };
  }
  return rate;
}

/** Whether `to` allows more than `from` in any way. */
export function isHigher(from: Rate, to: Rate): boolean {
  const more = (old: number | null, next: number | null): boolean => old !== null && (next === null || next > old);
  return more(from.bytesPerSecond, to.bytesPerSecond) || more(from.operationsPerSecond, to.operationsPerSecond);
}
