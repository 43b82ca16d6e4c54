import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { WinnowError } from '../runtime/errors.ts'
import { writeWhole } from '../runtime/write-whole.ts'
import { planFile } from './format.ts'

const keep = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('whole') }),
  z.strictObject({ kind: z.literal('withoutTexts') }),
  z.strictObject({ kind: z.literal('keys'), keys: z.array(z.string()) }),
  z.strictObject({ kind: z.literal('versions'), versions: z.array(z.string()) }),
])

const topicCut = z.strictObject({
  name: z.string(),
  ends: z.array(z.int().nonnegative()).describe('By partition: records before these offsets'),
  keep: keep.describe(
    'whole: all of them; withoutTexts: documents whose text is left out; keys: records of these keys, or of keys that go on with a / after one; versions: labels of these versions',
  ),
})
/** What of a topic belongs to a run. */
export type TopicCut = z.infer<typeof topicCut>

const planSchema = z.strictObject({
  run: z.string(),
  texts: z.boolean(),
  topics: z.array(topicCut),
  schemas: z.array(z.strictObject({ id: z.int(), schema: z.string() })).describe('Of the records written so far'),
})
/** What an export is going to write, decided when it was first called. */
export type ExportPlan = z.infer<typeof planSchema>

/** Undefined: none has begun in this folder. @throws WinnowError BAD_DATA if it cannot be read */
export async function readPlan(folder: string): Promise<ExportPlan | undefined> {
  const path = join(folder, planFile)
  if (!existsSync(path)) return undefined
  try {
    return planSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `${path} is not the plan of an export`, {
      cause,
      hint: 'Export into another folder.',
    })
  }
}

export const writeJsonWhole = (path: string, content: object): Promise<void> =>
  writeWhole(path, `${JSON.stringify(content, null, 1)}\n`)
