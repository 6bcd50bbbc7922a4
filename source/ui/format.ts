// Numbers for people: short, of a known greatest width, and coarse on purpose, so that a line which means the same
// is not sent to the terminal again. `null` is always a dash: what is not known is never shown as a zero.

/** What stands where a number is not known. */
export const UNKNOWN = '-';

const COUNT_UNITS = ['', 'k', 'M', 'G', 'T', 'P'] as const;
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Three significant digits: 1.23, 12.3, 123. */
const threeDigits = (value: number): string => {
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
};

const scaled = (value: number, base: number, units: readonly string[]): { digits: string; unit: string } => {
  let unit = 0;
  let rest = value;
  // 999.5 would print as four digits: it belongs to the next unit already.
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= base;
    unit += 1;
  }
  return { digits: unit === 0 ? rest.toFixed(0) : threeDigits(rest), unit: units[unit] ?? '' };
};

/** A count in at most five cells: 999, 1.23k, 41.7M. */
export const formatCount = (value: number | null): string => {
  if (value === null) return UNKNOWN;
  const { digits, unit } = scaled(Math.max(0, value), 1000, COUNT_UNITS);
  return digits + unit;
};

/** A count with all its digits, for the detail view and the result: 1,234,567. */
export const formatExact = (value: number | null): string =>
  value === null ? UNKNOWN : Math.round(value).toLocaleString('en-US');

/** Bytes in at most eight cells: 512 B, 12.3 KiB, 1.20 GiB. */
export const formatBytes = (value: number | null): string => {
  if (value === null) return UNKNOWN;
  const { digits, unit } = scaled(Math.max(0, value), 1024, BYTE_UNITS);
  return `${digits} ${unit}`;
};

/** Bytes a second in at most ten cells. */
export const formatByteRate = (value: number): string => `${formatBytes(value)}/s`;

/** A lag in at most six cells; below ten seconds the tenth counts, above it does not. */
export const formatLag = (seconds: number | null): string => {
  if (seconds === null) return UNKNOWN;
  return seconds < 9.95 ? `${Math.max(0, seconds).toFixed(1)}s` : formatDuration(seconds);
};

/** A duration in at most six cells, coarser the longer it is: 8s, 45s, 12m, 3h05m, 2d04h. */
export const formatDuration = (seconds: number | null): string => {
  if (seconds === null) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, '0')}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, '0')}m`;
  return `${Math.floor(whole / 86_400)}d${String(Math.floor((whole % 86_400) / 3600)).padStart(2, '0')}h`;
};

/** How long something has lasted: in steps of ten seconds, so that a screen at rest does not repaint for it. */
export const formatAge = (seconds: number): string => {
  if (seconds < 10) return formatDuration(seconds);
  return formatDuration(seconds < 60 ? Math.floor(seconds / 10) * 10 : Math.floor(seconds / 60) * 60).replace(
    'm00s',
    'm',
  );
};

/** A share in four cells, `100%`; rounded down, so that 100 % is said only when all is done. */
export const formatPercent = (share: number | null): string =>
  share === null ? UNKNOWN : `${Math.floor(Math.min(1, Math.max(0, share)) * 100)}%`;

/** Local time of day, `12:04:31`. */
export const formatTime = (timeMs: number): string => {
  const time = new Date(timeMs);
  return [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
};

/** Local date and time, `2026-11-21 12:04:31`. */
export const formatDateTime = (timeMs: number): string => {
  const time = new Date(timeMs);
  const date = [time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, '0'));
  return `${[time.getFullYear(), ...date].join('-')} ${formatTime(timeMs)}`;
};
