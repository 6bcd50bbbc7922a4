// The outcome of a comparison as a sentence that a person can act on. Pure; no number is left out that would change what
// one does.

import type { Bound } from './statistics.ts';

export interface Judged {
  /** Keys there are. */
  readonly total: number;
  /** Keys that came to a verdict. */
  readonly checked: number;
  readonly different: number;
  /** Keys that came to none: they kept changing, were about to expire, could not be read. */
  readonly unstable: number;
  readonly expiring: number;
  readonly skipped: number;
  /** null where nothing can be said about what was not looked at. */
  readonly bound: Bound | null;
  /** Every key was looked at. */
  readonly full: boolean;
}

/** `30,000 of 10,000,000 keys checked, all equal; with 95 % confidence at most 1,000 keys (0.01 %) differ.` */
export function verdictSentence(judged: Judged): string {
  const { total, checked, different, full, bound } = judged;
  const looked = full ? `All ${keysOf(checked)} checked` : `${exact(checked)} of ${keysOf(total)} checked`;
  const found = different === 0 ? 'all equal' : `${exact(different)} ${different === 1 ? 'differs' : 'differ'}`;
  const rest = full || bound === null ? '' : `; ${boundClause(bound)}`;
  return `${looked}, ${found}${rest}.${leftOver(judged)}`;
}

function boundClause({ confidence, keys, fraction }: Bound): string {
  const sure = `with ${percent(confidence)} confidence`;
  if (keys === 0) return `${sure} no key differs`;
  return `${sure} at most ${keysOf(keys)} (${percent(fraction)}) ${keys === 1 ? 'differs' : 'differ'}`;
}

function leftOver({ unstable, expiring, skipped }: Judged): string {
  const parts = [
    unstable > 0 ? `${exact(unstable)} kept changing` : '',
    expiring > 0 ? `${exact(expiring)} ${expiring === 1 ? 'was' : 'were'} about to expire` : '',
    skipped > 0 ? `${exact(skipped)} could not be compared` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` In none of these counts: ${parts.join(', ')}.`;
}

/** Two significant digits, so that 0.0098 % is not told as 0.01 %; never less than it is. */
export function percent(fraction: number): string {
  const value = fraction * 100;
  if (value === 0) return '0 %';
  const place = 10 ** (1 - Math.floor(Math.log10(value)));
  const rounded = value >= 10 ? Math.ceil(value * 10 - 1e-9) / 10 : Math.ceil(value * place - 1e-6) / place;
  return `${Number(rounded.toPrecision(4))} %`;
}

export function exact(count: number): string {
  return count.toLocaleString('en-US');
}

function keysOf(count: number): string {
  return `${exact(count)} ${count === 1 ? 'key' : 'keys'}`;
}
