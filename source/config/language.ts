// The language of the screen: what the environment asks for, as every program on a terminal reads it.

export const LANGUAGES = ['en', 'zh'] as const;
export type Language = (typeof LANGUAGES)[number];

/** LC_ALL before LC_MESSAGES before LANG; `zh_CN.UTF-8` is Chinese, all else English. */
export function systemLanguage(environment: NodeJS.ProcessEnv): Language {
  const locale = environment['LC_ALL'] || environment['LC_MESSAGES'] || environment['LANG'] || '';
  return /^zh(?:[_.@-]|$)/i.test(locale) ? 'zh' : 'en';
}
