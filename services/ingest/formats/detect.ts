import { type Compression, compressionOf, decompressed } from '../compression/compression.ts'
import { DamagedFile } from '../compression/damaged-file.ts'
import { NeedsDictionary, ZstdFrames } from '../compression/zstd-frames.ts'
import { headBytes } from '../input.ts'
import { magic as parquetMagic } from '../parquet/footer.ts'
import { type Foreign, type Format, foreign, type Head } from './format.ts'
import { bySignature } from './signatures.ts'
import { foreignText, unknownBinary } from './text.ts'

/**
 * Detects a source's format by its first bytes (at most 64 KiB), decompressed if necessary. The name counts only if it promises a format
 * (.parquet, .gz, .zst) and the file is neither that nor any other known format: then it is foreign.
 */
export async function formatOf(source: Head, name: string): Promise<Format> {
  const { head } = source
  if (head.length === 0) return { kind: 'lines', compression: 'none' }
  if (head.subarray(0, parquetMagic.length).equals(parquetMagic)) return { kind: 'parquet' }
  const compression = compressionOf(head)
  if (compression !== 'none') return await withinCompressed(source, compression)
  return (
    bySignature(head) ??
    foreignText(head) ??
    promiseOf(name, head) ??
    unknownBinary(head) ?? { kind: 'lines', compression }
  )
}

const decoders = { gzip: 'gzip -dc', zstd: 'zstd -dc --long=31' }

async function withinCompressed(source: Head, compression: 'gzip' | 'zstd'): Promise<Format> {
  const dictionary = compression === 'zstd' ? dictionaryOf(source.head) : null
  if (dictionary !== null) return dictionary
  const inner = await unpackedHead(source, compression)
  const format = inner.head.length === 0 ? null : innerFormat(inner)
  if (format === null) return { kind: 'lines', compression }
  const { advice, what } = format
  const decoder = decoders[compression]
  return {
    ...format,
    what: `${compression} of data that is ${what}`,
    advice:
      'filter' in advice
        ? { filter: advice.filter === '' ? decoder : `${decoder} @ | ${advice.filter}` }
        : { sentence: `unpack it with ${decoder}, then: ${advice.sentence}` },
  }
}

function innerFormat(inner: Head): Foreign | null {
  const again = compressionOf(inner.head)
  if (again !== 'none') return foreign(`${again} once more`, { filter: '' })
  if (inner.head.subarray(0, parquetMagic.length).equals(parquetMagic)) {
    return foreign('Parquet, which is read from its end', { sentence: 'ingest what is in it' })
  }
  return bySignature(inner.head) ?? foreignText(inner.head) ?? unknownBinary(inner.head)
}

async function unpackedHead({ head, whole }: Head, compression: Compression): Promise<Head> {
  const pieces: Buffer[] = []
  let length = 0
  async function* bytes() {
    yield head
  }
  try {
    for await (const piece of decompressed({ bytes: bytes(), again: () => null }, compression)) {
      pieces.push(piece)
      length += piece.length
      if (length >= headBytes) return { head: Buffer.concat(pieces).subarray(0, headBytes), whole: false }
    }
    return { head: Buffer.concat(pieces), whole }
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error
    // Cut off by us, or damaged, which is reported when it is read.
    return { head: Buffer.concat(pieces), whole: false }
  }
}

function dictionaryOf(head: Buffer): Foreign | null {
  try {
    for (const _ of new ZstdFrames().push(head)) {
      // Only the headers matter here.
    }
  } catch (error) {
    if (!(error instanceof NeedsDictionary)) return null
    return foreign(`Zstandard with a dictionary (${error.dictionary}), which is not in the file`, {
      filter: 'zstd -dc -D DICTIONARY',
    })
  }
  return null
}

const magics = (...texts: string[]) => texts.map((text) => Buffer.from(text, 'latin1'))

const promises: readonly (readonly [RegExp, string, readonly Buffer[]])[] = [
  [/\.(parquet|parq|pq)$/i, 'Parquet', [parquetMagic]],
  [/\.(gz|gzip|tgz)$/i, 'gzip', magics('\x1f\x8b')],
  [/\.(zst|zstd)$/i, 'Zstandard', magics('\x28\xb5\x2f\xfd')],
  // What would not be read anyway: a file that only has the name is not taken for rows.
  [/\.xz$/i, 'xz', magics('\xfd7zXZ')],
  [/\.bz2$/i, 'bzip2', magics('BZh')],
  [/\.zip$/i, 'zip', magics('PK')],
  [/\.7z$/i, '7z', magics('7z')],
  [/\.(arrow|feather)$/i, 'Arrow', magics('ARROW1')],
]

const tables = /\.(csv|tsv)$/i

/** Rows count whatever the file is called: downloads may be unpacked on the way and keep their names. */
const rowBegins = /^(\xef\xbb\xbf)?\s*\{[ \t\r]*["}]/

function promiseOf(name: string, head: Buffer): Foreign | null {
  const promise = promises.find(([extension]) => extension.test(name))
  if (rowBegins.test(head.toString('latin1', 0, 4096))) return null
  if (tables.test(name)) return foreign('a table of text, not JSON lines', { filter: 'mlr --icsv --ojsonl cat' })
  if (promise === undefined) return null
  const [, what, beginnings] = promise
  // A file that ends within its first four bytes is truncated, which is reported when it is read.
  if (beginnings.some((magic) => magic.subarray(0, head.length).equals(head))) return null
  return foreign(`not the ${what} that its name says`, {
    sentence: 'find out what it is (file F, head -c 200 F) and fetch it again, or rename it',
  })
}
