// What a component needs to know of the person's terminal and language. One context, set once for the whole screen.
import { createContext, useContext } from 'react';
import { type Glyphs, UNICODE_GLYPHS } from './glyphs.ts';
import { type Messages, messagesFor } from './messages.ts';
import { type Theme, themeFor } from './theme.ts';

export interface Look {
  readonly theme: Theme;
  readonly glyphs: Glyphs;
  readonly messages: Messages;
}

export const DEFAULT_LOOK: Look = { theme: themeFor(true), glyphs: UNICODE_GLYPHS, messages: messagesFor('en') };

export const LookContext = createContext<Look>(DEFAULT_LOOK);

/** The look of the screen that the component stands on. */
export const useLook = (): Look => useContext(LookContext);
