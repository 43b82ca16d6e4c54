/** The words of a text, in its order. */
export interface Words {
  readonly words: readonly string[]
  /** Most of them come from scripts that put no spaces between words. */
  readonly unspaced: boolean
}

/** Letters, marks, digits and apostrophes; symbols are not counted as words. */
const wordPattern = /[\p{L}\p{M}\p{N}']+/gu

/** Scripts without spaces between words, for which the runtime's segmenter has dictionaries. */
const unspacedScript =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u

/** Made by the first text that needs it. */
let segmenter: Intl.Segmenter | undefined

/** The segmenter's time grows faster than its text, and a run of letters may be as long as the document. */
const segmentedCharacters = 1000

/** Words by the separators between them, and by the runtime's dictionaries where there are none. */
export function wordsOf(text: string): Words {
  const found = text.match(wordPattern) ?? []
  if (!unspacedScript.test(text)) return { words: found, unspaced: false }
  const words: string[] = []
  let segmented = 0
  for (const run of found) {
    if (!unspacedScript.test(run)) {
      words.push(run)
      continue
    }
    const before = words.length
    // The dictionary depends on the script, not on this locale.
    segmenter ??= new Intl.Segmenter('und', { granularity: 'word' })
    for (let from = 0; from < run.length; from += segmentedCharacters) {
      const piece = run.slice(from, from + segmentedCharacters)
      for (const { segment } of segmenter.segment(piece)) words.push(segment)
    }
    segmented += words.length - before
  }
  return { words, unspaced: segmented > words.length / 2 }
}

/** Segmentation depends on the dictionaries, so they are part of the version of labels that rely on it. */
export const segmentation = `ICU ${process.versions.icu}`
