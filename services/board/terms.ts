/** More words than this name no document better. */
export const termsMax = 16

/** The words of a question; those in quotation marks stand together. A mark without its other one is one of the characters. */
export function termsOf(question: string): string[] {
  const terms = [...question.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, word]) => (quoted ?? word!).trim())
  return [...new Set(terms.filter((term) => term !== ''))]
}
