import { z } from 'zod'
import { splitLines } from '../../runtime/lines.ts'
import type { Labeler, LabelInput } from '../labeler.ts'
import { batchCharacters, batchDocuments, type LabelerChoice, openLabeler, type Write } from './choice.ts'

const labelRow = z.looseObject({ text: z.string(), meta: z.unknown().optional() })

interface Row {
  line: number
  /** Undefined for a line that is no row. */
  input: LabelInput | undefined
}

const badRow = { ok: false, reason: 'bad-row', message: 'Not a JSON object with a string "text".' } as const

/** What one batch comes to, as JSON lines. */
async function labelBatch(labeler: Labeler, subcategories: string[], batch: Row[]) {
  const inputs = batch.flatMap(({ input }) => (input === undefined ? [] : [input]))
  const results = (await labeler.label(inputs)).values()
  const out = { labels: '', rejects: '', labelled: 0 }
  for (const { line, input } of batch) {
    const result = input === undefined ? badRow : results.next().value!
    if (result.ok) {
      const { subcategory: index, score } = result
      out.labelled++
      out.labels += `${JSON.stringify({ line, subcategory: subcategories[index], index, score })}\n`
    } else {
      out.rejects += `${JSON.stringify({ line, reason: result.reason, message: result.message })}\n`
    }
  }
  return out
}

/** Rows of JSON lines in batches, lines counted from 0. */
async function* batches(rows: AsyncIterable<Uint8Array>): AsyncGenerator<Row[]> {
  let batch: Row[] = []
  let characters = 0
  let line = 0
  for await (const text of splitLines(rows)) {
    batch.push({ line: line++, input: inputOfRow(text) })
    characters += text.length
    if (batch.length < batchDocuments && characters < batchCharacters) continue
    yield batch
    batch = []
    characters = 0
  }
  yield batch
}

/**
 * Labels JSONL rows `{"text", "meta"}`: writes `{"line", "subcategory", "index", "score"}` in their order, lines counted from 0. A row that cannot
 * be labelled goes to `reject` as `{"line", "reason", "message"}` instead, and the rest goes on. The next batch is read while one is labelled.
 */
export async function labelCommand(
  options: LabelerChoice,
  rows: AsyncIterable<Uint8Array>,
  write: Write,
  reject: Write,
): Promise<{ labelled: number; rejected: number }> {
  const labeler = await openLabeler(options)
  const counts = { labelled: 0, rejected: 0 }
  const label = async (batch: Row[]) => {
    const { labels, rejects, labelled } = await labelBatch(labeler, options.actor.subcategories, batch)
    if (labels) await write(labels)
    if (rejects) await reject(rejects)
    counts.labelled += labelled
    counts.rejected += batch.length - labelled
  }
  try {
    let before: Promise<void> = Promise.resolve()
    for await (const batch of batches(rows)) {
      await before
      before = label(batch)
      // It is awaited with the next batch; until then a failure is nobody's.
      before.catch(() => {})
    }
    await before
  } finally {
    await labeler.close()
  }
  return counts
}

function inputOfRow(text: string): LabelInput | undefined {
  try {
    const parsed = labelRow.safeParse(JSON.parse(text))
    return parsed.success ? { text: parsed.data.text, meta: parsed.data.meta } : undefined
  } catch {
    return undefined
  }
}
