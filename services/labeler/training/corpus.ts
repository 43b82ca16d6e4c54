import { fieldAt } from '../../../topologies/fields.ts'
import type { TextFields } from '../../ingest/text-field.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type FeatureExtractor, surfaceCount } from '../hashed/features.ts'
import { type Annotation, type CorpusRow, readRows } from './rows.ts'

/** Hashed counts of every document of a corpus; the texts are not kept. */
export interface CorpusFeatures {
  /** Document i's distinct rows are the entries starts[i] to starts[i + 1] of `rows`; `counts` says how often each was hit. */
  starts: Uint32Array
  rows: Uint32Array
  counts: Uint32Array
  /** [documents, surfaceCount] */
  surface: Float64Array[]
  /** For each auxiliary field the document's value, if it is a string. */
  auxiliary: (string | undefined)[][]
  /** The index of each document's file in the list, and its line there. */
  shards: Uint32Array
  lines: Uint32Array
}

class Growing {
  #array = new Uint32Array(1 << 20)
  length = 0

  push(values: Uint32Array): void {
    while (this.length + values.length > this.#array.length) {
      const larger = new Uint32Array(this.#array.length * 2)
      larger.set(this.#array)
      this.#array = larger
    }
    this.#array.set(values, this.length)
    this.length += values.length
  }

  get values(): Uint32Array {
    return this.#array.subarray(0, this.length)
  }
}

function stringAt(row: unknown, field: string): string | undefined {
  const value = fieldAt(row, field)
  return typeof value === 'string' ? value : undefined
}

/** Extracts the features of all documents of a corpus; `auxiliaryFields` are fields of the rows. @throws WinnowError BAD_DATA */
export async function readCorpus(
  files: string[],
  extractor: FeatureExtractor,
  auxiliaryFields: string[],
  textFields?: TextFields,
): Promise<CorpusFeatures> {
  return await featuresOf(readRows(files, textFields), extractor, auxiliaryFields)
}

/** The same of rows that come from elsewhere. */
export async function featuresOf(
  given: AsyncIterable<CorpusRow> | Iterable<CorpusRow>,
  extractor: FeatureExtractor,
  auxiliaryFields: readonly string[],
): Promise<CorpusFeatures> {
  const rows = new Growing()
  const counts = new Growing()
  const starts = [0]
  const surface: Float64Array[] = []
  const auxiliary: (string | undefined)[][] = []
  const [shards, lines]: [number[], number[]] = [[], []]
  for await (const { shard, line, text, meta } of given) {
    shards.push(shard)
    lines.push(line)
    extractor.extract(text)
    rows.push(extractor.rows.subarray(0, extractor.size))
    counts.push(extractor.counts.subarray(0, extractor.size))
    starts.push(rows.length)
    surface.push(extractor.surface.slice(0, surfaceCount))
    auxiliary.push(auxiliaryFields.map((field) => stringAt(meta, field)))
  }
  return {
    starts: Uint32Array.from(starts),
    rows: rows.values,
    counts: counts.values,
    surface,
    auxiliary,
    shards: Uint32Array.from(shards),
    lines: Uint32Array.from(lines),
  }
}

/** The number of each annotated document. @throws WinnowError BAD_DATA for one that is not in the corpus */
export function locate(
  annotations: Annotation[],
  { shards, lines }: Pick<CorpusFeatures, 'shards' | 'lines'>,
  file: string,
): number[] {
  const wanted = new Map(annotations.map(({ shard, line }) => [`${shard}:${line}`, -1]))
  for (const [number, shard] of shards.entries()) {
    const place = `${shard}:${lines[number]}`
    if (wanted.has(place)) wanted.set(place, number)
  }
  return annotations.map(({ shard, line, fileLine }) => {
    const number = wanted.get(`${shard}:${line}`)!
    if (number >= 0) return number
    throw new WinnowError(
      'BAD_DATA',
      `${file}:${fileLine + 1}: names shard ${shard}, line ${line}, which the corpus does not have`,
      {
        hint: 'Give the corpus files in the order that the annotations number them.',
      },
    )
  })
}
