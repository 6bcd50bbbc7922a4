// The few drawn characters, once for terminals with Unicode and once in ASCII. All are one cell wide; no emoji, no braille.
// Ink sends box characters whatever the locale says, so the fallback is decided here.

/** Characters of a panel's border. */
export interface BorderGlyphs {
  readonly topLeft: string;
  readonly top: string;
  readonly topRight: string;
  readonly left: string;
  readonly bottomLeft: string;
  readonly bottom: string;
  readonly bottomRight: string;
  readonly right: string;
}

export interface Glyphs {
  readonly border: BorderGlyphs;
  /** The border of the panel that the keys act on. */
  readonly selectedBorder: BorderGlyphs;
  readonly barFull: string;
  readonly barEmpty: string;
  /** Around a bar; empty where the characters themselves show its end. */
  readonly barOpen: string;
  readonly barClose: string;
  /** From lowest to highest. */
  readonly spark: readonly string[];
  readonly marker: string;
  readonly arrow: string;
  readonly rule: string;
  readonly above: string;
  readonly below: string;
}

const border = (characters: string): BorderGlyphs => {
  const [topLeft = '', top = '', topRight = '', left = '', bottomLeft = '', bottomRight = ''] = [...characters];
  return { topLeft, top, topRight, left, right: left, bottomLeft, bottom: top, bottomRight };
};

export const UNICODE_GLYPHS: Glyphs = {
  border: border('┌─┐│└┘'),
  selectedBorder: border('┏━┓┃┗┛'),
  barFull: '█',
  barEmpty: '░',
  barOpen: '',
  barClose: '',
  spark: ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
  marker: '▸',
  arrow: '→',
  rule: '─',
  above: '↑',
  below: '↓',
};

export const ASCII_GLYPHS: Glyphs = {
  border: border('+-+|++'),
  selectedBorder: border('#=#|##'),
  barFull: '#',
  barEmpty: '.',
  barOpen: '[',
  barClose: ']',
  spark: ['_', '.', ':', '-', '=', '+', '*', '#'],
  marker: '>',
  arrow: '->',
  rule: '-',
  above: '^',
  below: 'v',
};

/**
 * Whether the locale promises a terminal that shows Unicode: the first of LC_ALL, LC_CTYPE and LANG that is set decides,
 * as in POSIX, and the Linux console has no glyphs for sparklines.
 */
export const unicodeWanted = (environment: NodeJS.ProcessEnv): boolean => {
  if (environment['TERM'] === 'linux') return false;
  const locale = environment['LC_ALL'] || environment['LC_CTYPE'] || environment['LANG'] || '';
  return /utf-?8/i.test(locale);
};
