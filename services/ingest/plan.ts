import { open } from 'node:fs/promises'
import type { Source } from '../../schemas/index.ts'
import { WinnowError } from '../runtime/errors.ts'
import { compressionOf } from './compression.ts'
import {
  endBytes,
  type Fingerprint,
  fingerprintOfFile,
  fingerprintOfHead,
  formatFingerprint,
  parseFingerprint,
} from './fingerprint.ts'
import { type Input, peek } from './input.ts'
import type { SourceFile } from './source-files.ts'

/** What is to be done about one source, decided before anything is written. */
export interface Plan {
  readonly file: SourceFile
  /** `done`: every row is in the topics. `damaged`: it still breaks off where it did before. */
  readonly action: 'start' | 'continue' | 'done' | 'damaged'
  /** As the topic has it; null: never seen. */
  readonly known: Source | null
  readonly fingerprint: Fingerprint
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
): Promise<Plan[]> {
  const plans: Plan[] = []
  for (const file of files) {
    const source = known.get(file.name) ?? null
    plans.push(
      file.path === null
        ? await planStandardInput(file, source, await peek(standardInput, endBytes))
        : await planFile(file, source, file.path, file.byteLength ?? 0),
    )
  }
  return plans
}

const parquet = Buffer.from('PAR1')
const lineFeed = Buffer.from('\n')

async function planFile(file: SourceFile, known: Source | null, path: string, byteLength: number): Promise<Plan> {
  const fingerprint = await fingerprintOfFile(path, byteLength)
  if ((await bytesAt(path, 0, 4)).equals(parquet)) {
    throw new WinnowError('CONFIGURATION', `${path} is a Parquet file, which winnow does not read`, {
      hint: 'write its rows as JSON lines and ingest those',
    })
  }
  if (known === null) return { file, action: 'start', known, fingerprint }
  const before = parseFingerprint(known.fingerprint)
  if (byteLength < before.byteLength) throw otherContent(file, 'it is shorter than it was')
  if ((await fingerprintOfFile(path, before.byteLength)).hash !== before.hash) throw otherContent(file)
  if (byteLength === before.byteLength) {
    const action = known.complete ? 'done' : before.damaged ? 'damaged' : 'continue'
    return { file, action, known, fingerprint }
  }
  if (known.complete) await checkAppended(file, path, before.byteLength)
  return { file, action: 'continue', known, fingerprint }
}

async function planStandardInput(file: SourceFile, known: Source | null, input: Input): Promise<Plan> {
  if (known === null) {
    return { file, action: 'start', known, fingerprint: await fingerprintOfHead(input.head), input }
  }
  const before = parseFingerprint(known.fingerprint)
  const fingerprint = await fingerprintOfHead(input.head.subarray(0, before.byteLength))
  if (formatFingerprint(fingerprint) !== formatFingerprint({ ...before, damaged: false })) throw otherContent(file)
  // Where it ends is not known: rows that were read are skipped, and the same input adds nothing.
  return { file, action: 'continue', known, fingerprint, input }
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
