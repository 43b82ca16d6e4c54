const charactersMax = 600
const charactersMin = 20

/** The middle of a text, in whole words; undefined if the text is too short. Never the whole text. */
export function passageOf(text: string): string | undefined {
  const from = Math.floor(text.length / 4)
  const part = text.slice(from, Math.min(from + charactersMax, Math.ceil((3 * text.length) / 4)))
  const words = part.split(/\s+/).slice(1, -1).join(' ')
  return words.length < charactersMin ? undefined : words
}
