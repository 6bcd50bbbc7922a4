// The validation view as lines: what v would look at, how it goes or what it came to, by shard and type, the keys that differ,
// and what both sides have of the chosen one. Pure.
import type { DifferencePicture, ValidatedShard, ValidationPicture } from '../engine/contract/validation-picture.ts';
import { cellWidth, padLeft, padRight, printable, wrap } from './cell-width.ts';
import { type Cell, cell, cutLine, fitCells, type Line, type Segment, segment } from './cells.ts';
import { formatAge, formatCount, formatDuration, formatExact, formatPercent } from './format.ts';
import { visibleRange } from './layout.ts';
import type { Look } from './look.ts';
import { ruleLine } from './notice-lines.ts';
import type { ScreenState } from './screen-model.ts';
import { progressBar } from './sparkline.ts';
import type { Tone } from './theme.ts';
import { isUnderWay, SIZES } from './validation-keys.ts';
import { keyText, shareText, sizeText } from './validation-text.ts';

export interface ValidationFrame {
  readonly width: number;
  readonly height: number;
  readonly look: Look;
}

const BAR = 10;
/** Lines of a long sentence, of the shards, and of what both sides have. */
const SENTENCE_LINES = 3;
const SHARD_LINES_MOST = 8;
const DIFF_LINES_MOST = 12;

const GAP = segment('  ');

const gutter = ({ messages }: Look): number => Math.max(...Object.values(messages.validation.label).map(cellWidth)) + 2;

const fact = (label: string, parts: readonly Segment[], { width, look }: ValidationFrame): Line =>
  cutLine([segment(` ${padRight(label, gutter(look))}`, 'dim'), ...parts], width);

const sentence = (label: string, text: string, tone: Tone, frame: ValidationFrame): Line[] =>
  wrap(printable(text), Math.max(10, frame.width - gutter(frame.look) - 2))
    .slice(0, SENTENCE_LINES)
    .map((part, index) => fact(index === 0 ? label : '', [segment(part, tone)], frame));

const nextLine = ({ ui }: ScreenState, frame: ValidationFrame): Line => {
  const { messages, glyphs } = frame.look;
  const { label, choose } = messages.validation;
  return fact(
    label.next,
    [
      segment(`${glyphs.marker} `, 'selected'),
      segment(sizeText(SIZES[ui.size] ?? null, messages), 'selected'),
      segment(`  ${choose}`, 'dim'),
    ],
    frame,
  );
};

const stateTone = ({ state, outcome }: ValidationPicture): Tone => {
  if (state === 'failed' || outcome === 'different') return 'bad';
  if (outcome === 'equal') return 'good';
  return state === 'running' ? 'busy' : 'warn';
};

/** A fact of which the least important cells are left out where there is no room. */
const cellsFact = (label: string, cells: readonly Cell[], frame: ValidationFrame): Line =>
  fact(label, fitCells(cells, Math.max(10, frame.width - gutter(frame.look) - 1), GAP.text.length), frame);

/** How far a comparison is that is under way. */
const progressCells = (picture: ValidationPicture, { messages, glyphs }: Look): Cell[] => {
  const { validation, label } = messages;
  const share = picture.total === 0 ? 0 : picture.done / picture.total;
  const most = picture.mostKeysPerSecond;
  const cells: Cell[] = [
    cell(3, progressBar(share, BAR, glyphs), 'busy'),
    cell(0, formatPercent(share).padStart(4), 'title'),
    cell(1, validation.progress(formatExact(picture.done), formatExact(picture.total))),
  ];
  if (picture.keysPerSecond !== null) cells.push(cell(5, validation.perSecond(formatCount(picture.keysPerSecond))));
  if (picture.etaSeconds !== null) cells.push(cell(2, `${label.eta} ${formatDuration(picture.etaSeconds)}`));
  if (picture.suspects > 0) cells.push(cell(6, validation.suspects(formatExact(picture.suspects)), 'dim'));
  cells.push(cell(4, most === null ? validation.notHeld : validation.heldTo(formatCount(most)), 'dim'));
  return cells;
};

/** When a comparison ended, and what it looked at. */
const endCells = ({ startedAtMs, size }: ValidationPicture, endedAtMs: number, nowMs: number, look: Look): Cell[] => {
  const { validation } = look.messages;
  return [
    cell(3, validation.took(formatDuration((endedAtMs - startedAtMs) / 1000)), 'dim'),
    cell(1, validation.ago(formatAge(Math.max(0, nowMs - endedAtMs) / 1000)), 'dim'),
    cell(2, sizeText(size, look.messages), 'dim'),
  ];
};

/** How it goes, or when it ended. */
const stateLine = (picture: ValidationPicture, nowMs: number, frame: ValidationFrame): Line => {
  const { validation } = frame.look.messages;
  const word = picture.outcome === null ? validation.state[picture.state] : validation.outcome[picture.outcome];
  const cells: Cell[] = [cell(0, word, stateTone(picture))];
  if (isUnderWay(picture)) cells.push(...progressCells(picture, frame.look));
  else if (picture.endedAtMs !== null) cells.push(...endCells(picture, picture.endedAtMs, nowMs, frame.look));
  return cellsFact(validation.label.state, cells, frame);
};

const shardName = ({ side, address }: ValidatedShard, { messages }: Look): string =>
  `${messages.label[side]} ${printable(address)}`;

/** What was looked at of a shard and what of it differs, each as wide as that of any other shard. */
const shardTexts = (shard: ValidatedShard, look: Look): readonly [name: string, looked: string, different: string] => {
  const { validation } = look.messages;
  return [
    shardName(shard, look),
    validation.looked(formatExact(shard.looked), formatExact(shard.keys)),
    validation.different(formatExact(shard.different)),
  ];
};

/** @param widths of the three texts in all lines. */
const shardLine = (
  shard: ValidatedShard,
  label: string,
  widths: readonly [number, number, number],
  frame: ValidationFrame,
): Line => {
  const [name, looked, different] = shardTexts(shard, frame.look);
  const cells: Cell[] = [
    cell(0, padRight(name, widths[0])),
    cell(2, padLeft(looked, widths[1]), 'dim'),
    cell(0, padLeft(different, widths[2]), shard.different > 0 ? 'bad' : 'dim'),
  ];
  const { validation } = frame.look.messages;
  if (shard.fraction !== null) cells.push(cell(1, validation.atMost(shareText(shard.fraction)), 'dim'));
  return cellsFact(label, cells, frame);
};

const shardLines = ({ shards }: ValidationPicture, room: number, frame: ValidationFrame): Line[] => {
  // Those with differences are looked for first.
  const ordered = [...shards].sort((a, b) => b.different - a.different);
  const { messages } = frame.look;
  const shown = ordered.slice(0, ordered.length > room ? Math.max(0, room - 1) : room);
  const texts = shown.map((shard) => shardTexts(shard, frame.look));
  const widest = (column: 0 | 1 | 2): number => Math.max(0, ...texts.map((row) => cellWidth(row[column])));
  const widths = [widest(0), widest(1), widest(2)] as const;
  const lines = shown.map((shard, index) =>
    shardLine(shard, index === 0 ? messages.validation.label.shards : '', widths, frame),
  );
  const more = ordered.length - shown.length;
  return more > 0 ? [...lines, fact('', [segment(messages.moreBelow(more), 'dim')], frame)] : lines;
};

/** As many to a line as there is room for. */
const typesLines = ({ types }: ValidationPicture, frame: ValidationFrame): Line[] => {
  const { validation } = frame.look.messages;
  const room = frame.width - gutter(frame.look) - 1;
  const lines: Segment[][] = [];
  let used = 0;
  for (const { type, checked, different } of types) {
    const parts = [segment(`${printable(type)} ${formatExact(checked)}`)];
    if (different > 0) parts.push(segment(` (${validation.different(formatExact(different))})`, 'bad'));
    const wide = parts.reduce((sum, { text }) => sum + cellWidth(text), 0);
    const line = lines.at(-1);
    if (line === undefined || used + GAP.text.length + wide > room) {
      lines.push(parts);
      used = wide;
    } else {
      line.push(GAP, ...parts);
      used += GAP.text.length + wide;
    }
  }
  return lines.map((parts, index) => fact(index === 0 ? validation.label.types : '', parts, frame));
};

const differenceLine = (difference: DifferencePicture, isChosen: boolean, { width, look }: ValidationFrame): Line => {
  const { messages, glyphs } = look;
  const { repair } = messages.validation;
  const parts: Segment[] = [
    segment(isChosen ? `${glyphs.marker} ` : '  ', 'selected'),
    segment(`db${difference.database} ${padRight(printable(difference.type), 6)} `, 'dim'),
    segment(`${padRight(keyText(difference.key), 24)} `, isChosen ? 'selected' : 'plain'),
  ];
  const isExtra = difference.aspects.includes('extra');
  if (difference.repair === 'repaired') {
    parts.push(segment(`${isExtra ? repair.deleted : repair.repaired}  `, 'good'));
  }
  if (difference.repair === 'failed') parts.push(segment(`${repair.failed}  `, 'bad'));
  if (difference.repair === 'under-way') parts.push(segment(`${repair.underWay}  `, 'busy'));
  parts.push(segment(`${difference.aspects.join(', ')}  `, 'warn'), segment(printable(difference.detail), 'dim'));
  return cutLine(parts, width);
};

const diffLines = ({ detail, diff }: DifferencePicture, room: number, frame: ValidationFrame): Line[] => {
  if (room < 3) return [];
  const { width, look } = frame;
  const whole = wrap(printable(detail), Math.max(10, width - 2)).slice(0, 2);
  const lines = diff.map(({ side, text }) =>
    cutLine(
      [segment(` ${side === 'source' ? '-' : '+'} ${printable(text)}`, side === 'source' ? 'bad' : 'good')],
      width,
    ),
  );
  return [
    ruleLine(look.messages.validation.bothSides, width, look),
    ...whole.map((part): Line => [segment(` ${part}`)]),
    ...lines,
  ].slice(0, room);
};

/** The keys that differ with the chosen one in sight, and below them what both sides have of it. */
const differences = (picture: ValidationPicture, chosen: number, height: number, frame: ValidationFrame): Line[] => {
  const { width, look } = frame;
  const { validation } = look.messages;
  const all = picture.differences;
  if (all.length === 0) return picture.state === 'done' ? [[segment(` ${validation.noDifferences}`, 'good')]] : [];
  const at = Math.min(chosen, all.length - 1);
  const one = all[at];
  const below = one === undefined ? [] : diffLines(one, Math.min(DIFF_LINES_MOST, Math.floor(height / 2)), frame);
  const room = Math.max(1, height - below.length - 1);
  const { from, to } = visibleRange(all.length, room, at);
  return [
    ruleLine(validation.differing(all.length, formatExact(picture.different)), width, look),
    ...all.slice(from, to).map((difference, index) => differenceLine(difference, from + index === at, frame)),
    ...below,
  ];
};

/** The view in at most `frame.height` lines. */
export const validationLines = (state: ScreenState, frame: ValidationFrame): Line[] => {
  const { width, height, look } = frame;
  const { validation } = look.messages;
  const picture = state.snapshot.validation;
  const head = [ruleLine(validation.title, width, look), nextLine(state, frame)];
  if (picture === null) return [...head, [segment(` ${validation.neverCompared}`, 'dim')]].slice(0, height);
  const facts = [
    ...head,
    stateLine(picture, state.nowMs, frame),
    ...(picture.verdict === null ? [] : sentence(validation.label.verdict, picture.verdict, stateTone(picture), frame)),
  ];
  const hasDifferences = picture.differences.length > 0;
  // Where room is short the differing keys need it more than the shards.
  const shardRoom = Math.min(
    SHARD_LINES_MOST,
    Math.max(1, Math.floor((height - facts.length) / (hasDifferences ? 4 : 2))),
  );
  facts.push(...shardLines(picture, shardRoom, frame), ...typesLines(picture, frame));
  for (const note of picture.notes) facts.push(...sentence(validation.label.note, note, 'warn', frame));
  const room = height - facts.length;
  return [...facts, ...(room > 1 ? differences(picture, state.ui.difference, room, frame) : [])].slice(0, height);
};
