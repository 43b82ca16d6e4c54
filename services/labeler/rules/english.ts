/** The language of a text: its ISO 639-1 code, and whether that is more than a guess. */
export type DetectLanguage = (text: string) => { readonly language: string; readonly reliable: boolean }

/** Longer texts are judged by their beginning, which bounds the work. */
const charactersLookedAt = 2000

/**
 * Brackets, operators and the like: at most 2% of the characters in prose, at least 6% in source code (mini-SlimPajama, 95% of documents
 * each).
 */
const codeSymbols = /[{}()[\];=<>_&|$\\+*/#"`]/g
const codeSymbolShareMin = 0.05

const latin = /\p{Script=Latin}/gu
const letter = /\p{L}/gu

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0

/**
 * Whether rules for English prose apply: not to source code, nor if most letters are not Latin or another language is detected. A text whose
 * language cannot be detected with confidence (lists, keywords, noise) counts as English.
 */
export function isEnglishProse(text: string, detect: DetectLanguage): boolean {
  const letters = count(text, letter)
  if (count(text, latin) < letters / 2) return false
  if (count(text, codeSymbols) >= codeSymbolShareMin * count(text, /\S/g)) return false
  const { language, reliable } = detect(text.slice(0, charactersLookedAt))
  return language === 'en' || !reliable
}
