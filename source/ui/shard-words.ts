// What is said of a shard wherever it is shown: its state, why it is slow or stands, its source's events. Pure.
import type { PauseBudget, ShardSnapshot } from '../engine/contract/shard-snapshot.ts';
import { printable } from './cell-width.ts';
import { type Segment, segment } from './cells.ts';
import { formatAge, formatCount, formatDuration } from './format.ts';
import type { Look } from './look.ts';
import type { Messages } from './messages.ts';
import { flagLook, stateLook } from './state-look.ts';

/** State and flag in words with their signs: `= streaming 12m | paused`. */
export const stateSegments = (shard: ShardSnapshot, nowMs: number | null, { messages }: Look): readonly Segment[] => {
  const { glyph, tone } = stateLook(shard.state);
  const segments = [segment(`${glyph} ${messages.state[shard.state]}`, tone)];
  if (nowMs !== null) segments.push(segment(` ${formatAge((nowMs - shard.stateSinceMs) / 1000)}`, 'dim'));
  const flag = flagLook(shard);
  if (flag !== null) {
    segments.push(segment(` ${flag.glyph} ${shard.paused ? messages.paused : messages.throttled}`, flag.tone));
  }
  return segments;
};

/** Seconds left from which the countdown is an alarm. */
const ALARM_SECONDS = 60;

const isAlarming = ({ isFull, secondsToFull }: PauseBudget): boolean =>
  isFull || (secondsToFull !== null && secondsToFull <= ALARM_SECONDS);

/** What holds the shard back and how long that can last: until its queue is full, until the source gives up. */
const budgetText = (
  shard: ShardSnapshot,
  { budget: words, isPaused, pausedByYou }: Messages,
  isBrief: boolean,
): string => {
  const { budget, paused, throttled } = shard;
  const left: string[] = [];
  if (budget?.isFull === false && budget.secondsToFull !== null) {
    left.push(words.toFull(formatDuration(budget.secondsToFull)));
  }
  const inSync = budget?.secondsToFullSync ?? null;
  if (inSync !== null) left.push(words.toFullSync(formatDuration(inSync)));
  if (budget?.isFull) left.unshift(words.full);
  const held = paused ? pausedByYou : printable(throttled ?? '');
  if (left.length === 0) return paused ? isPaused : held;
  if (isBrief) return left.join(words.join);
  // What is urgent stands where a narrow panel still shows it.
  return (budget?.isFull ? [...left, held] : [held, ...left]).filter((part) => part !== '').join(words.join);
};

/** What a shard that tries again waits for, and its error where that is not part of it. */
export const troubleText = ({ waitingFor, lastError }: ShardSnapshot, join: string): string => {
  if (waitingFor === null || lastError === null) return waitingFor ?? lastError ?? '';
  return waitingFor.includes(lastError) ? waitingFor : `${waitingFor}${join}${lastError}`;
};

/**
 * Why the shard is slow or stands, most urgent reason first; null when it runs freely.
 * @param isBrief beside a state that says `paused` or `throttled` already: the room is for what that does not say.
 */
export const whySegment = (shard: ShardSnapshot, { messages }: Look, isBrief = false): Segment | null => {
  if (shard.state === 'failed' && shard.lastError !== null) return segment(printable(shard.lastError), 'bad');
  if (shard.state === 'retrying' && shard.lastError !== null) {
    return segment(printable(troubleText(shard, ': ')), 'attention');
  }
  if (shard.budget !== null && isAlarming(shard.budget)) return segment(budgetText(shard, messages, isBrief), 'bad');
  if (shard.waitingFor !== null) return segment(printable(shard.waitingFor), 'warn');
  if (shard.paused) return segment(budgetText(shard, messages, isBrief), 'warn');
  if (shard.throttled !== null) {
    const rule = printable(shard.throttled);
    return segment(isBrief ? rule : messages.isThrottled(rule), 'warn');
  }
  if (shard.slotsArriving > 0) return segment(messages.slotsArriving(shard.slotsArriving), 'warn');
  if ((shard.changes?.verdict ?? null) !== null) return segment(printable(shard.changes?.verdict ?? ''), 'warn');
  return shard.lastError === null ? null : segment(`${messages.label.lastError}: ${printable(shard.lastError)}`, 'dim');
};

/** The source's notify-keyspace-events as people know it. */
export const keyspaceEventsText = (shard: ShardSnapshot, { messages }: Look): string => {
  const { changes } = shard;
  if (changes !== null && changes.followedBy === 'tracking') return messages.keyspace.tracking;
  if (changes !== null && changes.flags !== null) {
    const { flags, needed } = changes;
    const verdict = flags === needed ? messages.keyspace.enough : messages.keyspace.lacking;
    return `${flags === '' ? messages.keyspace.empty : printable(flags)} ${verdict}`;
  }
  if (shard.keyspaceEvents === null) return '?';
  return shard.keyspaceEvents === '' ? messages.eventsOff : printable(shard.keyspaceEvents);
};

/** Keys of a scanned source that have changed and are not fetched yet, and how long the oldest waits. */
export const updatesText = ({ changes }: ShardSnapshot): string =>
  changes === null || changes.waiting === 0
    ? '0'
    : `${formatCount(changes.waiting)} ${formatAge(changes.oldestSeconds)}`;
