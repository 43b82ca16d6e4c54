import { open } from 'node:fs/promises'
import type { Source } from '../../schemas/index.ts'
import { WinnowError } from '../runtime/errors.ts'
import { compressionOf } from './compression/compression.ts'
import { DamagedFile } from './compression/damaged-file.ts'
import {
  type Fingerprint,
  fingerprintOfFile,
  fingerprintOfHead,
  formatFingerprint,
  parseFingerprint,
} from './fingerprint.ts'
import { type Input, openStream } from './input.ts'
import { magic, readFooter } from './parquet/footer.ts'
import { beyond, type ParquetLimits } from './parquet/read.ts'
import type { SourceFile } from './source-files.ts'

/** What is to be done about one source, decided before anything is written. */
export interface Plan {
  readonly file: SourceFile
  /** `done`: every row is in the topics. `damaged`: it still breaks off where it did before. */
  readonly action: 'start' | 'continue' | 'done' | 'damaged'
  /** As the topic has it; null: never seen. */
  readonly known: Source | null
  readonly fingerprint: Fingerprint
  /** By its first bytes, as compression is. */
  readonly parquet: boolean
  /** Standard input, of which the beginning has been read by now. */
  readonly input?: Input
}

/**
 * Compares the sources with what the topic knows about them.
 * A source whose content is not the one it had under its name is a CONFIGURATION error: ids would lead to other rows.
 * @param standardInput read (its beginning only) if one of the files is standard input
 */
export async function planSources(
  files: readonly SourceFile[],
  known: ReadonlyMap<string, Source>,
  standardInput: AsyncIterable<Buffer>,
  limits: ParquetLimits,
): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const file of files) {
    const source = known.get(file.name) ?? null
    const { path, byteLength } = file
    const plan =
      path === null
        ? await planStandardInput(file, source, await openStream(standardInput))
        : await planFile(file, source, path, byteLength ?? 0)
    const toRead = plan.action === 'start' || plan.action === 'continue'
    if (plan.parquet && toRead && path !== null) await checkRowGroups(path, byteLength ?? 0, limits)
    plans.push(plan)
  }
  return plans
}

const lineFeed = Buffer.from('\n')

async function planFile(file: SourceFile, known: Source | null, path: string, byteLength: number): Promise<Plan> {
  const fingerprint = await fingerprintOfFile(path, byteLength)
  const parquet = (await bytesAt(path, 0, 4)).equals(magic)
  if (known === null) return { file, action: 'start', known, fingerprint, parquet }
  const before = parseFingerprint(known.fingerprint)
  if (byteLength < before.byteLength) throw otherContent(file, 'it is shorter than it was')
  if ((await fingerprintOfFile(path, before.byteLength)).hash !== before.hash) throw otherContent(file)
  if (byteLength === before.byteLength) {
    const action = known.complete ? 'done' : before.damaged ? 'damaged' : 'continue'
    return { file, action, known, fingerprint, parquet }
  }
  // A footer describes all of a file: rows that were read belonged to a whole one, and what stands behind it is none of it.
  if (parquet && known.rowNext > 0) throw otherContent(file, 'it is Parquet and grew after rows of it were ingested')
  if (known.complete) await checkAppended(file, path, before.byteLength)
  return { file, action: 'continue', known, fingerprint, parquet }
}

async function planStandardInput(file: SourceFile, known: Source | null, input: Input): Promise<Plan> {
  const parquet = input.head.subarray(0, magic.length).equals(magic)
  if (parquet) {
    throw new WinnowError('CONFIGURATION', 'standard input is a Parquet file, which is read from its end', {
      hint: 'write it to a file and ingest that one',
    })
  }
  if (known === null) {
    return { file, action: 'start', known, fingerprint: await fingerprintOfHead(input.head), parquet, input }
  }
  const before = parseFingerprint(known.fingerprint)
  const fingerprint = await fingerprintOfHead(input.head.subarray(0, before.byteLength))
  if (formatFingerprint(fingerprint) !== formatFingerprint({ ...before, damaged: false })) throw otherContent(file)
  // Where it ends is not known: rows that were read are skipped, and the same input adds nothing.
  return { file, action: 'continue', known, fingerprint, parquet, input }
}

/** Rows may be appended to a plain file whose last line was finished. Appending to a compressed one would be a guess about its tool. */
async function checkAppended(file: SourceFile, path: string, byteLengthBefore: number) {
  if (byteLengthBefore === 0) return
  if (compressionOf(await bytesAt(path, 0, 4)) !== 'none') {
    throw otherContent(file, 'it is compressed and grew after it was ingested to its end')
  }
  if (!(await bytesAt(path, byteLengthBefore - 1, 1)).equals(lineFeed)) {
    throw otherContent(file, 'it grew after its last line had been ingested without a line end')
  }
}

/** Refuses a file whose row groups say that they do not fit into memory. One that is damaged says so when it is read. */
async function checkRowGroups(path: string, byteLength: number, limits: ParquetLimits) {
  const file = await open(path)
  try {
    for (const [index, group] of (await readFooter(file, byteLength)).groups.entries()) {
      const reason = beyond(group, limits)
      if (reason === null) continue
      throw new WinnowError('CONFIGURATION', `row group ${index + 1} of ${path} has ${reason}`, {
        hint: 'a row group is read whole: write the file with smaller ones, as with row_group_size=10000 of pyarrow.parquet.write_table',
      })
    }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
  } finally {
    await file.close()
  }
}

async function bytesAt(path: string, position: number, length: number): Promise<Buffer> {
  const handle = await open(path)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

function otherContent(file: SourceFile, detail = 'its first or last bytes differ'): WinnowError {
  const where = file.path ?? 'standard input'
  return new WinnowError(
    'CONFIGURATION',
    `the source '${file.name}' was ingested with another content than ${where} has now: ${detail}`,
    {
      hint: 'document ids lead to the rows of the old content, so they are not given again: ingest this one under another name, with --name',
    },
  )
}
