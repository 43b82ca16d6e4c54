/** What a comment, a string or a document names of the tree. */
export interface Citation {
  /** As it stands in the text. */
  readonly text: string
  /** A file, a folder, or the end of a file's path. */
  readonly path: string
  /** Of `path`: a heading, the name of a step, or `step N`. */
  readonly section?: string
  /** Of `path`: a heading, as GitHub makes anchors of them. */
  readonly anchor?: string
}

/** NAME stands for a name. */
const inTree =
  /(?<![\w./~-])((?:\.\.\/)*(?:schemas|topologies|services|deploy|test|docs)\/(?![\w./-]*NAME)[\w./-]*\w)(?![\w*{$<-])/g
const sourceFile = /`((?:[\w-]+\/)*[\w-]+(?:\.test)?\.(?:ts|mjs|py|sql|css))(?::\d+)?`/g
const document = /(?<![\w/.-])([A-Z]{4,}\.md)\b/g
const decision = /\bADR (\d{4})/g
const link = /\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)/g
const sectionAfter = /\b(README|[\w-]+\.md)(?:, |'s )(?:"([^"]+)"|(step \d+))/g
const sectionsBefore = /((?:"[^"]+"(?:, | and )?)+) of (README|[\w-]+\.md)/g

/** A comment's sentence goes on over its line breaks. */
const joined = (text: string): string => text.replaceAll(/\s*\n\s*(?:\*(?!\/)|\/\/|#+|--)?\s*/g, ' ')

const fileOf = (name: string): string => (name === 'README' ? 'README.md' : name)

export function citationsIn(text: string): Citation[] {
  const paths = [inTree, sourceFile, document].flatMap((form) =>
    [...text.matchAll(form)].map(([cited, path]) => ({ text: cited, path: path! })),
  )
  const decisions = [...text.matchAll(decision)].map(([cited, number]) => ({ text: cited, path: `docs/adr/${number}` }))
  const sentence = joined(text)
  const after = [...sentence.matchAll(sectionAfter)].map(([cited, name, heading, step]) => ({
    text: cited,
    path: fileOf(name!),
    section: (heading ?? step)!,
  }))
  const before = [...sentence.matchAll(sectionsBefore)].flatMap(([cited, names, name]) =>
    [...names!.matchAll(/"([^"]+)"/g)].map(([, section]) => ({ text: cited, path: fileOf(name!), section: section! })),
  )
  return [...paths, ...decisions, ...after, ...before]
}

/** Links of a Markdown document, relative to its folder; `path` is empty for one within the document. */
export function linksIn(markdown: string): Citation[] {
  return [...markdown.matchAll(link)].map(([text, path, anchor]) => ({
    text,
    path: path!,
    ...(anchor !== undefined && { anchor }),
  }))
}

const headings = (markdown: string): string[] =>
  [...markdown.matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => heading!.trim())

/** What can be cited of a document: headings, and the numbers and bold names of steps. */
export function sectionsOf(markdown: string): Set<string> {
  const names = [...markdown.matchAll(/^(?:\d+\.|-) \*\*(.+?)\*\*/gm)].map(([, name]) => name!)
  const steps = [...markdown.matchAll(/^(\d+)\. /gm)].map(([, number]) => `step ${number}`)
  const leads = [...markdown.matchAll(/^([A-Z][\w ]+): /gm)].map(([, lead]) => lead!)
  return new Set([...headings(markdown), ...names, ...steps, ...leads])
}

/** Anchors of headings, as GitHub makes them: lower case, punctuation gone, spaces to hyphens. */
export const anchorsOf = (markdown: string): Set<string> =>
  new Set(
    headings(markdown).map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
