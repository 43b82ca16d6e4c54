import type { Source } from '../../schemas/index.ts'
import { compressionOf } from './compression/compression.ts'
import { fingerprintOfFile, parseFingerprint } from './fingerprint.ts'
import { bytesAt } from './input.ts'
import { magic as parquetMagic } from './parquet/footer.ts'
import type { FileSource } from './source-files.ts'

/** A source of which so many rows were refused, and none became a document, is given up: what is wrong is wrong with all of it. */
export const refusedRowsMax = 1000

const lineFeed = Buffer.from('\n')

/** How the content of a file differs from the one it was ingested with under its name, in words; null: it is that content, or more of it. */
export async function changeOf(source: FileSource, known: Source): Promise<string | null> {
  const change = await contentChange(source, known)
  return change === null ? null : `it has another content now: ${change}`
}

async function contentChange({ path, byteLength }: FileSource, known: Source): Promise<string | null> {
  const before = parseFingerprint(known.fingerprint)
  if (byteLength < before.byteLength) return 'it is shorter than it was'
  if ((await fingerprintOfFile(path, before.byteLength)).hash !== before.hash) return 'its first or last bytes differ'
  if (byteLength === before.byteLength) return null
  const head = await bytesAt(path, 0, parquetMagic.length)
  // A footer describes all of a file: rows that were read belonged to a whole one, and what stands behind it is none of it.
  if (head.equals(parquetMagic) && known.rowNext > 0) return 'it is Parquet and grew after rows of it were ingested'
  if (!known.complete || before.byteLength === 0) return null
  // Rows may be appended to a plain file whose last line was finished. Appending to a compressed one would be a guess about its tool.
  if (compressionOf(head) !== 'none') return 'it is compressed and grew after it was ingested to its end'
  const last = await bytesAt(path, before.byteLength - 1, 1)
  return last.equals(lineFeed) ? null : 'it grew after its last line had been ingested without a line end'
}

/** What became of a source that has nothing new; null: there is more to read of it. */
export function settledOutcome(known: Source, byteLength: number): 'already' | 'refused' | null {
  const same = byteLength === parseFingerprint(known.fingerprint).byteLength
  if (!same) return null
  const refused = known.documents === 0 && known.rejected > 0
  if (known.complete) return refused ? 'refused' : 'already'
  return refused && known.rejected >= refusedRowsMax ? 'refused' : null
}
