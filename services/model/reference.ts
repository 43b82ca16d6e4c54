import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { parseJson } from '../../schemas/index.ts'
import type { Line } from '../ingest/lines.ts'
import { linesOfFile } from '../ingest/lines-of-file.ts'
import { WinnowError } from '../runtime/errors.ts'
import type { Model } from './model.ts'
import { documentWindows, referenceSequence, type Sequence } from './sequences.ts'

const row = z.union([
  z.object({ text: z.string().min(1) }),
  z.object({ context: z.string(), continuation: z.string().min(1) }),
])

/** A sample of a reference task: a text, or a continuation whose context is given. */
export type ReferenceSample = z.output<typeof row>

/**
 * The first `samplesMax` samples of a reference task: a file of rows in any format that ingest reads, with `text`, or with `context` and
 * `continuation`. @throws WinnowError BAD_DATA naming file and line, or the file that breaks off; CONFIGURATION if it cannot be read or is
 * empty
 */
export async function readSamples(path: string, samplesMax: number): Promise<ReferenceSample[]> {
  const samples: ReferenceSample[] = []
  for await (const line of linesOfFile(path)) {
    samples.push(sampleOf(line, path))
    if (samples.length === samplesMax) break
  }
  if (samples.length === 0) throw new WinnowError('CONFIGURATION', `the reference ${path} has no samples`)
  return samples
}

/** The same as tokens. @param context the length of a sequence, in tokens */
export async function readReference(
  path: string,
  model: Model,
  context: number,
  samplesMax: number,
): Promise<Sequence[]> {
  return await sequencesOf(await readSamples(path, samplesMax), model, context)
}

export async function sequencesOf(
  samples: readonly ReferenceSample[],
  model: Model,
  context: number,
): Promise<Sequence[]> {
  const sequences: Sequence[] = []
  for (const sample of samples) sequences.push(await sequenceOf(sample, model, context))
  return sequences
}

/** What a model that has learned the sample has read. */
export const wholeText = (sample: ReferenceSample): string =>
  'text' in sample ? sample.text : sample.context + sample.continuation

function sampleOf(line: Line, path: string): ReferenceSample {
  try {
    return row.parse(jsonOf(line))
  } catch (cause) {
    const hint = 'A row has "text", or "context" and "continuation", all of them strings.'
    throw new WinnowError('BAD_DATA', `${path}:${line.row + 1}: not a reference sample`, { hint, cause })
  }
}

function jsonOf({ bytes, tooLong }: Line): unknown {
  if (tooLong || !isUtf8(bytes)) throw new TypeError(tooLong ? 'the line is too long' : 'the line is not UTF-8')
  return parseJson(bytes.toString('utf8'))
}

async function sequenceOf(sample: z.output<typeof row>, model: Model, context: number): Promise<Sequence> {
  const { tokenizer } = model
  const end = tokenizer.endOfText
  if ('text' in sample) return documentWindows(await tokenizer.encode(sample.text), context, 1, 0, end)[0]!
  const [prompt, continuation] = await tokenizer.encodeAll([sample.context, sample.continuation])
  return referenceSequence(prompt!, continuation!, context, 'all', end)
}
