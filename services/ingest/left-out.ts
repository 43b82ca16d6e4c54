import type { LeftOutEntry } from './folder.ts'
import { formatOf } from './formats/detect.ts'
import { remedy } from './formats/refusal.ts'
import { openFile } from './input.ts'
import { extensionOf } from './names.ts'
import { locate } from './paths.ts'

/** Files of a folder that are not ingested, grouped by extension and reason. */
export interface LeftOut {
  /** In lower case, `.jsonl.xz`; empty: none. */
  readonly extension: string
  readonly files: number
  /** An example, by its name within the folder. */
  readonly example: string
  readonly why: string
  /** What to do if they hold rows. */
  readonly hint: string | null
}

/** A JSON file of a folder that holds no rows. */
export interface Description {
  readonly name: string
  readonly why: string
  readonly hint: string
}

/** What was left out, counted; one file of each extension is examined. */
export async function leftOutOf(
  entries: readonly LeftOutEntry[],
  descriptions: readonly Description[] = [],
): Promise<LeftOut[]> {
  const groups = Map.groupBy(entries, ({ name, why }) => `${why} ${extensionOf(name)}`)
  const counted = await Promise.all(
    groups.values().map(async (group) => {
      const [first] = group as [LeftOutEntry]
      const about = await aboutOf(first)
      return { extension: extensionOf(first.name), files: group.length, example: first.name, ...about }
    }),
  )
  const described = Map.groupBy(descriptions, ({ name, why }) => `${why} ${extensionOf(name)}`)
  for (const group of described.values()) {
    const [{ name, why, hint }] = group as [Description]
    counted.push({ extension: extensionOf(name), files: group.length, example: name, why, hint })
  }
  return counted.sort((a, b) => (a.extension < b.extension ? -1 : 1))
}

async function aboutOf({ name, path, why }: LeftOutEntry): Promise<Pick<LeftOut, 'why' | 'hint'>> {
  if (why === 'temporary') return { why: 'temporary, or the log of a table', hint: null }
  if (why === 'linked-twice') return { why: 'a link to files that are also found by another name', hint: null }
  const byPath = { why: 'no name of rows', hint: 'give a file by its own path if it holds rows' }
  try {
    const found = await locate(path)
    if (found.kind !== 'file') return { why: 'no file', hint: null }
    const input = await openFile(found.file)
    await input.close()
    const format = await formatOf(input, path)
    return format.kind === 'foreign' ? { why: format.what, hint: remedy({ name, path, format }) } : byPath
  } catch {
    // It is left out anyway; why it cannot be examined matters only if it is given by its path.
    return byPath
  }
}

/** For people, one line per extension. */
export function leftOutText(leftOut: readonly LeftOut[]): string {
  if (leftOut.length === 0) return ''
  const total = leftOut.reduce((sum, { files }) => sum + files, 0)
  const lines = leftOut.map(({ extension, files, example, why, hint }) => {
    const what = extension === '' ? 'without extension' : extension
    return `  ${files} ${what} (${files === 1 ? '' : 'such as '}${example}): ${why}${hint === null ? '' : `; ${hint}`}\n`
  })
  return `left out: ${total} ${total === 1 ? 'file' : 'files'}\n${lines.join('')}`
}
