import type { Line } from '../../ingest/lines.ts'
import type { Labeler, LabelResult } from '../labeler.ts'
import { inputOfLine } from '../row.ts'
import { batchCharacters, batchDocuments, type LabelerChoice, openLabeler, type Write } from './choice.ts'

/** A line, and the field with the text of its file. */
export interface LabelLine extends Line {
  readonly textField?: string
}

interface Row {
  readonly line: number
  readonly input: ReturnType<typeof inputOfLine>
}

/** The output of one batch, as JSON lines. */
async function labelBatch(labeler: Labeler, subcategories: string[], batch: readonly Row[]) {
  const inputs = batch.flatMap(({ input }) => ('reason' in input ? [] : [input]))
  const results = (await labeler.label(inputs)).values()
  const out = { labels: '', rejects: '', labelled: 0 }
  for (const { line, input } of batch) {
    const result: LabelResult | { ok: false; reason: string; message: string } =
      'reason' in input ? { ok: false, ...input } : results.next().value!
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

/** The rows in batches. */
async function* batches(rows: AsyncIterable<LabelLine>): AsyncGenerator<Row[]> {
  let batch: Row[] = []
  let bytes = 0
  for await (const line of rows) {
    batch.push({ line: line.row, input: inputOfLine(line, line.textField) })
    bytes += line.bytes.length
    if (batch.length < batchDocuments && bytes < batchCharacters) continue
    yield batch
    batch = []
    bytes = 0
  }
  yield batch
}

/**
 * Labels rows as ingest reads them: writes `{"line", "subcategory", "index", "score"}` in their order, counting lines from 0 and blank ones
 * too. A row that cannot be labelled, or that ingest would reject, goes to `reject` as `{"line", "reason", "message"}` instead, and the rest
 * goes on. The next batch is read while one is labelled. `unreadable` says why, if ingest would reject every row.
 */
export async function labelCommand(
  options: LabelerChoice,
  rows: AsyncIterable<LabelLine>,
  write: Write,
  reject: Write,
): Promise<{ labelled: number; rejected: number; unreadable: string | undefined }> {
  const labeler = await openLabeler(options)
  const counts = { labelled: 0, rejected: 0 }
  /** Why the first row was none; undefined as soon as one was. */
  let unreadable: string | undefined
  let anyRow = false
  const label = async (batch: Row[]) => {
    for (const { input } of batch) {
      anyRow ||= !('reason' in input)
      if ('reason' in input) unreadable ??= input.message
    }
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
      // Awaited with the next batch; this avoids an unhandled rejection until then.
      before.catch(() => {})
    }
    await before
  } finally {
    await labeler.close()
  }
  return { ...counts, unreadable: anyRow ? undefined : unreadable }
}
