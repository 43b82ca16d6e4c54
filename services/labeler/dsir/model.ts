import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../../runtime/errors.ts'
import { bucketCount } from './ngrams.ts'

const counts = z.array(z.int().min(0)).length(bucketCount)

/** dsir.json: how often each bucket's n-grams occur in the corpus and in the target. */
const dsirFile = z.strictObject({
  format: z.literal('winnow-dsir/1'),
  /** What the target is, in words. */
  target: z.string(),
  training: z.strictObject({
    /** SHA-256 of the files, in their order. */
    corpus: z.array(z.string()),
    target: z.array(z.string()),
    corpusDocuments: z.int(),
    targetDocuments: z.int(),
    /** Rows that ingest would reject. */
    rejected: z.int(),
  }),
  corpusCounts: counts,
  targetCounts: counts,
})
export type DsirFile = z.infer<typeof dsirFile>

export const dsirFileName = 'dsir.json'

/** Added to each probability, as in the authors' package. */
const epsilon = 1e-8

/** ln(p_target + 1e-8) - ln(p_corpus + 1e-8) of each bucket (log_diff). */
export function logRatios({ corpusCounts, targetCounts }: DsirFile): Float64Array {
  const sumOf = (all: readonly number[]) => all.reduce((sum, count) => sum + count, 0)
  const [corpus, target] = [sumOf(corpusCounts), sumOf(targetCounts)]
  return Float64Array.from(corpusCounts, (count, bucket) => {
    return Math.log(targetCounts[bucket]! / target + epsilon) - Math.log(count / corpus + epsilon)
  })
}

/** @throws WinnowError MODEL_UNUSABLE naming the file */
export function readDsir(folder: string): { file: DsirFile; digest: string } {
  const path = join(folder, dsirFileName)
  const unusable = (what: string, cause?: unknown) =>
    new WinnowError('MODEL_UNUSABLE', `${path}: ${what}`, {
      hint: 'Fit it with winnow labeler train --task dsir (docs/labelers.md).',
      ...(cause === undefined ? {} : { cause }),
    })
  let text: string
  let json: unknown
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw unusable('cannot be read', cause)
  }
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw unusable('is not JSON', cause)
  }
  const parsed = dsirFile.safeParse(json)
  if (!parsed.success) throw unusable(z.prettifyError(parsed.error))
  const empty = (['corpusCounts', 'targetCounts'] as const).find((name) => parsed.data[name].every((n) => n === 0))
  if (empty !== undefined) throw unusable(`${empty} are all 0`)
  return { file: parsed.data, digest: createHash('sha256').update(text).digest('hex') }
}

export function writeDsir(folder: string, file: DsirFile): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, dsirFileName), `${JSON.stringify(file)}\n`)
}
