import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { readLines } from '../runtime/lines.ts'
import type { Model } from './model.ts'
import { documentWindows, referenceSequence, type Sequence } from './sequences.ts'

const row = z.union([
  z.object({ text: z.string().min(1) }),
  z.object({ context: z.string(), continuation: z.string().min(1) }),
])

/**
 * Reads the first `samplesMax` rows of a reference task: JSON lines, plain or .gz, with `text`, or with `context` and `continuation`.
 * @throws WinnowError BAD_DATA naming file and line; CONFIGURATION where the file cannot be read or is empty
 */
export async function readReference(
  path: string,
  model: Model,
  context: number,
  samplesMax: number,
): Promise<Sequence[]> {
  const sequences: Sequence[] = []
  let line = 0
  for await (const text of linesOf(path)) {
    line++
    if (text.trim() === '') continue
    try {
      sequences.push(await sequenceOf(row.parse(JSON.parse(text)), model, context))
    } catch (cause) {
      const hint = 'A row has "text", or "context" and "continuation", all of them strings.'
      throw new WinnowError('BAD_DATA', `${path}:${line}: not a reference sample`, { hint, cause })
    }
    if (sequences.length === samplesMax) break
  }
  if (sequences.length === 0) throw new WinnowError('CONFIGURATION', `the reference ${path} has no samples`)
  return sequences
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const lines = readLines(path)
  for (;;) {
    const next = await lines.next().catch((cause: unknown) => {
      throw new WinnowError('CONFIGURATION', `the reference ${path} cannot be read: ${String(cause)}`, { cause })
    })
    if (next.done === true) return
    yield next.value
  }
}

async function sequenceOf(sample: z.output<typeof row>, model: Model, context: number): Promise<Sequence> {
  const { tokenizer } = model
  const end = tokenizer.endOfText
  if ('text' in sample) return documentWindows(await tokenizer.encode(sample.text), context, 1, 0, end)[0]!
  const [prompt, continuation] = await tokenizer.encodeAll([sample.context, sample.continuation])
  return referenceSequence(prompt!, continuation!, context, 'all', end)
}
