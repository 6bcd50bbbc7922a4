// Colours by meaning. Only the 16 ANSI names, so that the person's own terminal theme decides what they look like;
// colour is a third signal, after the word and the glyph. The theme without colours keeps bold, dim and inverse.

/** What a piece of text means; components name a tone, never a colour. */
export type Tone =
  | 'plain'
  | 'dim'
  | 'title'
  | 'accent'
  | 'good'
  | 'busy'
  | 'attention'
  | 'warn'
  | 'bad'
  | 'key'
  | 'selected';

/** The properties of Ink's <Text> that a tone may set. */
export interface ToneStyle {
  readonly color?: string;
  readonly bold?: boolean;
  readonly dimColor?: boolean;
  readonly inverse?: boolean;
}

export type Theme = Readonly<Record<Tone, ToneStyle>>;

const COLOURED: Theme = {
  plain: {},
  dim: { dimColor: true },
  title: { bold: true },
  accent: { color: 'cyan' },
  good: { color: 'green' },
  busy: { color: 'blue' },
  attention: { color: 'magenta' },
  warn: { color: 'yellow' },
  bad: { color: 'red', bold: true },
  key: { bold: true },
  selected: { color: 'cyan', bold: true },
};

const withoutColour = ({ color: _, ...rest }: ToneStyle): ToneStyle => rest;

// No spread over entries: the record's type must stay complete without a cast.
const MONOCHROME: Theme = {
  plain: COLOURED.plain,
  dim: COLOURED.dim,
  title: COLOURED.title,
  accent: withoutColour(COLOURED.accent),
  good: withoutColour(COLOURED.good),
  busy: withoutColour(COLOURED.busy),
  attention: { bold: true },
  warn: { bold: true },
  bad: { bold: true, inverse: true },
  key: COLOURED.key,
  selected: withoutColour(COLOURED.selected),
};

/** The theme for a terminal with or without colours. */
export const themeFor = (color: boolean): Theme => (color ? COLOURED : MONOCHROME);

/** Whether to use colours when nobody said: NO_COLOR (not empty) forbids them; see no-color.org. */
export const colorWanted = (environment: NodeJS.ProcessEnv): boolean => !environment['NO_COLOR'];
