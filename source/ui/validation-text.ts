// Small texts of the validation, shared by its view, its questions and the shards' panels. Pure.
import type { ValidationSize } from '../engine/contract/command.ts';
import type { ShardSnapshot, ShardVerified } from '../engine/contract/shard-snapshot.ts';
import { printable } from './cell-width.ts';
import { type Segment, segment } from './cells.ts';
import { formatAge, formatExact } from './format.ts';
import type { Look } from './look.ts';
import type { Messages } from './messages.ts';

/** A key's bytes for the eye: what is no UTF-8 shows as a mark. */
export const keyText = (base64: string): string => printable(Buffer.from(base64, 'base64').toString('utf8'));

/** A share of 0 to 1, never less than it is: 0.0098 %. */
export const shareText = (fraction: number): string => {
  const percent = fraction * 100;
  if (percent === 0) return '0 %';
  const places = Math.max(0, 1 - Math.floor(Math.log10(percent)));
  return `${Number((Math.ceil(percent * 10 ** places - 1e-6) / 10 ** places).toFixed(places))} %`;
};

/** How much is looked at, in words; null is the configured sample. */
export const sizeText = (size: ValidationSize | null, { validation }: Messages): string => {
  if (size === null) return validation.configured;
  if (size === 'full') return validation.everything;
  const [, amount = '', percent, confidence] = /^([\d.]+)(%)?(?:@([\d.]+)%?)?$/.exec(size) ?? [];
  if (confidence !== undefined) return validation.boundToHave(amount, confidence);
  if (percent !== undefined) return validation.shareToLookAt(amount);
  return validation.keysToLookAt(formatExact(Number(amount === '' ? size : amount)));
};

const verifiedText = ({ atMs, different, stale }: ShardVerified, nowMs: number, { validation }: Messages): Segment => {
  const age = formatAge(Math.max(0, nowMs - atMs) / 1000);
  if (different > 0) return segment(validation.verifiedDifferent(formatExact(different), age), 'bad');
  return stale ? segment(validation.stale(age), 'warn') : segment(validation.verified(age), 'good');
};

/** `verified 2h ago`; null for a shard that was never compared. */
export const verifiedSegment = ({ verified }: ShardSnapshot, nowMs: number, { messages }: Look): Segment | null =>
  verified === null ? null : verifiedText(verified, nowMs, messages);
