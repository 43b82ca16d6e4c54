import type { Source } from '../../schemas/index.ts'
import { compressionOf } from './compression/compression.ts'
import { fingerprintOfFile, parseFingerprint } from './fingerprint.ts'
import { withBytes } from './input.ts'
import { magic as parquetMagic } from './parquet/footer.ts'
import type { FileSource } from './source-files.ts'

/** A source is given up after this many rejected rows and no document: whatever is wrong applies to all of it. */
export const refusedRowsMax = 1000

const lineFeed = Buffer.from('\n')

/** How a file's content differs from what was ingested under its name, in words; null: it is the same, or has only grown. */
export async function changeOf(source: FileSource, known: Source): Promise<string | null> {
  const change = await contentChange(source, known)
  return change === null ? null : `it has another content now: ${change}`
}

async function contentChange(source: FileSource, known: Source): Promise<string | null> {
  const { byteLength } = source
  const before = parseFingerprint(known.fingerprint)
  if (byteLength < before.byteLength) return 'it is shorter than it was'
  if ((await fingerprintOfFile(source, before.byteLength)).hash !== before.hash) return 'its first or last bytes differ'
  if (byteLength === before.byteLength) return null
  const head = await withBytes(source, ({ at }) => at(0, parquetMagic.length))
  // A footer describes the whole file: the rows read belonged to that file, and what follows it is not part of it.
  if (head.equals(parquetMagic) && known.rowNext > 0) return 'it is Parquet and grew after rows of it were ingested'
  if (!known.complete || before.byteLength === 0) return null
  // Rows may be appended to a plain file whose last line was complete. For a compressed one that depends on the tool.
  if (compressionOf(head) !== 'none') return 'it is compressed and grew after it was ingested to its end'
  const last = await withBytes(source, ({ at }) => at(before.byteLength - 1, 1))
  return last.equals(lineFeed) ? null : 'it grew after its last line had been ingested without a newline'
}

/** The outcome of a source that has nothing new; null: there is more to read. */
export function settledOutcome(known: Source, byteLength: number): 'already' | 'refused' | null {
  const same = byteLength === parseFingerprint(known.fingerprint).byteLength
  if (!same) return null
  const refused = known.documents === 0 && known.rejected > 0
  if (known.complete) return refused ? 'refused' : 'already'
  return refused && known.rejected >= refusedRowsMax ? 'refused' : null
}
