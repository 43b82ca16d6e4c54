/** What tells the language of a text: its ISO 639-1 code, and whether that is more than a guess. */
export type DetectLanguage = (text: string) => { readonly language: string; readonly reliable: boolean }

/** Of longer texts the beginning decides, which bounds the work. */
const charactersLookedAt = 2000

/** Brackets, operators and the like: at most 2% of the characters of prose, at least 6% of those of source code (mini-SlimPajama's 95% each). */
const codeSymbols = /[{}()[\];=<>_&|$\\+*/#"`]/g
const codeSymbolShareMin = 0.05

const latin = /\p{Script=Latin}/gu
const letter = /\p{L}/gu

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0

/**
 * Whether rules that hold for English prose alone apply: not to source code, nor where most letters are not Latin or another language is found.
 * A text whose language cannot be told with confidence (lists, keywords, noise) is held to be English.
 */
export function isEnglishProse(text: string, detect: DetectLanguage): boolean {
  const letters = count(text, letter)
  if (count(text, latin) < letters / 2) return false
  if (count(text, codeSymbols) >= codeSymbolShareMin * count(text, /\S/g)) return false
  const { language, reliable } = detect(text.slice(0, charactersLookedAt))
  return language === 'en' || !reliable
}
