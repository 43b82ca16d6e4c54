/** A part of a longer text, as a search shows it. */
export interface Excerpt {
  readonly text: string
  /** Something of the text stands before and after it. */
  readonly before: boolean
  readonly after: boolean
}

/** A word longer than this is cut: dropping it whole would leave next to nothing. */
const wordMax = 40

/** An excerpt without the pieces of words at its cut ends, and with an ellipsis in their place. White space is one space. */
export function snippetOf({ text, before, after }: Excerpt): string {
  const head = before ? text.replace(new RegExp(`^\\S{0,${wordMax}}\\s+`, 'u'), '') : text
  const whole = after ? head.replace(new RegExp(`\\s+\\S{0,${wordMax}}$`, 'u'), '') : head
  return `${before ? '… ' : ''}${whole.replace(/\s+/g, ' ').trim()}${after ? ' …' : ''}`
}
