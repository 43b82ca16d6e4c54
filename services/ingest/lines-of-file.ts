import { WinnowError } from '../runtime/errors.ts'
import { shownPlace } from '../runtime/stores/place.ts'
import { decompressed } from './compression/compression.ts'
import { DamagedFile } from './compression/damaged-file.ts'
import { formatOf } from './formats/detect.ts'
import { type ForeignSource, foreignError, type Receiver } from './formats/refusal.ts'
import { openFile } from './input.ts'
import type { Line } from './lines.ts'
import { type OpenRowsOptions, openRows } from './open-rows.ts'
import { fileAt } from './paths.ts'

/**
 * The rows of a file as lines (see `openRows`), one after the other.
 * @throws WinnowError CONFIGURATION for what cannot be read at all; BAD_DATA naming the file if it breaks off, after all rows before
 */
export async function* linesOfFile(path: string, options?: OpenRowsOptions): AsyncGenerator<Line> {
  const reader = await openRows(path, options)
  try {
    for await (const { lines } of reader.chunks()) yield* lines
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    const { rows, unit } = reader
    const shown = path === '-' ? 'standard input' : shownPlace(path)
    throw new WinnowError('BAD_DATA', `${shown} breaks off in ${unit} ${rows + 1}: ${error.message}`, {
      hint: 'Check that the file is complete and was copied without damage.',
      cause: error,
    })
  }
}

/** Examines the first bytes of all files before any is read. @throws WinnowError CONFIGURATION, one for all that cannot be read */
export async function checkFiles(paths: readonly string[], receiver: Receiver = 'file'): Promise<void> {
  const refused: ForeignSource[] = []
  for (const path of paths) {
    if (path === '-') continue
    const input = await openFile(await fileAt(path, receiver))
    try {
      const format = await formatOf(input, path)
      if (format.kind === 'foreign') refused.push({ name: path, path: shownPlace(path), format })
    } finally {
      await input.close()
    }
  }
  if (refused.length > 0) throw foreignError(refused, receiver)
}

/**
 * The bytes of a file of rows, decompressed: JSON lines unchanged, with all their blank lines; for Parquet the JSON lines of its rows. For
 * callers that split lines themselves. @throws WinnowError CONFIGURATION for what cannot be read at all; DamagedFile if the file breaks off,
 * after all bytes before
 */
export async function* unpackedBytes(path: string): AsyncGenerator<Buffer> {
  const input = await openFile(await fileAt(path, 'file'))
  const format = await formatOf(input, path)
  if (format.kind === 'lines') return yield* decompressed(input, format.compression)
  await input.close()
  const reader = await openRows(path)
  for await (const { lines } of reader.chunks()) {
    yield Buffer.concat(lines.flatMap(({ bytes }) => [bytes, lineFeed]))
  }
}

const lineFeed = Buffer.from('\n')
