import { WinnowError } from '../../runtime/errors.ts'
import { readLines } from '../../runtime/lines.ts'
import { DuplicateIndex, type DuplicateOptions } from './index.ts'

/** Takes text away, waiting while the receiver is full. */
type Write = (text: string) => Promise<void>

export interface DuplicateCounts {
  rows: number
  kept: number
  exact: number
  near: number
}

/** Characters written at a time. */
const pieceCharacters = 1 << 20

/**
 * Passes on the rows of JSON-lines files (plain or .gz) as they are, in their order, but those whose text is a duplicate of an earlier one:
 * of each of these `exclude` gets a line `{"file", "line", "reason", "of": {"file", "line"}, "similarity", "row"}`, with the row itself. What
 * is no row with a text passes too: ingest refuses it, and keeps it in dead letters.
 * @throws WinnowError BAD_DATA naming a file that cannot be read to its end
 */
export async function deduplicate(
  files: readonly string[],
  options: DuplicateOptions,
  keep: Write,
  exclude: Write,
): Promise<DuplicateCounts> {
  const index = new DuplicateIndex(options)
  const counts: DuplicateCounts = { rows: 0, kept: 0, exact: 0, near: 0 }
  let piece = ''
  for (const [file, name] of files.entries()) {
    let line = 0
    for await (const row of rowsOf(name)) {
      counts.rows++
      const text = textOf(row)
      const duplicate = text === undefined ? undefined : index.add(text, { file, line })
      if (duplicate === undefined) {
        counts.kept++
        piece += `${row}\n`
        if (piece.length >= pieceCharacters) {
          await keep(piece)
          piece = ''
        }
      } else {
        const { reason, of, similarity } = duplicate
        counts[reason === 'exact-duplicate' ? 'exact' : 'near']++
        const original = { file: files[of.file], line: of.line }
        await exclude(
          `${JSON.stringify({ file: name, line, reason, of: original, similarity, row: JSON.parse(row) })}\n`,
        )
      }
      line++
    }
  }
  if (piece !== '') await keep(piece)
  return counts
}

async function* rowsOf(file: string): AsyncGenerator<string> {
  try {
    yield* readLines(file)
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `${file}: cannot be read to its end: ${(cause as Error).message}`, {
      hint: 'Check that the file is there, readable and complete.',
      cause,
    })
  }
}

function textOf(row: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(row)
    const text = typeof parsed === 'object' && parsed !== null && 'text' in parsed ? parsed.text : undefined
    return typeof text === 'string' ? text : undefined
  } catch {
    return undefined
  }
}
