import { isUtf8 } from 'node:buffer'
import { parseJson } from '../../../schemas/index.ts'
import { checkFiles, linesOfFile } from '../../ingest/lines-of-file.ts'
import { WinnowError } from '../../runtime/errors.ts'

/** Longer than the items of any benchmark. */
const itemCharactersMax = 1_000_000

/**
 * The items of an evaluation set: rows of files in any format that ingest reads, each the texts of some fields, in this order, a line each.
 * @throws WinnowError BAD_DATA naming file and line; CONFIGURATION for a file that cannot be read, or without rows
 */
export async function readItems(files: readonly string[], fields: readonly string[]): Promise<string[]> {
  await checkFiles([...files])
  const items: string[] = []
  for (const file of files) {
    for await (const { row, bytes, tooLong } of linesOfFile(file)) {
      const bad = (what: string, hint: string) => new WinnowError('BAD_DATA', `${file}:${row + 1}: ${what}`, { hint })
      if (tooLong || !isUtf8(bytes)) throw bad(tooLong ? 'is too long' : 'is not UTF-8', 'Repair or remove the row.')
      const item = itemOf(bytes.toString('utf8'), fields)
      if (item === undefined)
        throw bad(`has no text in ${fields.join(', ')}`, 'Name the fields of its texts with --field, one or several.')
      if (item.length > itemCharactersMax)
        throw bad(`has ${item.length} characters`, `An item has at most ${itemCharactersMax}: cut it into several.`)
      items.push(item)
    }
  }
  if (items.length > 0) return items
  throw new WinnowError('CONFIGURATION', `${files.join(', ')}: no rows`, { hint: 'Give a file with a row an item.' })
}

/** Lists of texts, as of choices, are texts as well. */
function itemOf(line: string, fields: readonly string[]): string | undefined {
  let row: unknown
  try {
    row = parseJson(line)
  } catch {
    return undefined
  }
  if (typeof row !== 'object' || row === null) return undefined
  const values = fields.flatMap((field) => (row as Record<string, unknown>)[field] ?? [])
  const texts = values.filter((value) => typeof value === 'string' && value.trim() !== '')
  return texts.length === 0 ? undefined : texts.join('\n')
}
