/**
 * Documents per second of the data quality gates on the text of JSON-lines files, and what they say of it, on one thread.
 * Run by hand on a quiet machine: node test/bench/gates.ts FILE...
 */
import { DuplicateIndex } from '../../services/ingest/duplicates/index.ts'
import { createLabeler, labelerConfig } from '../../services/labeler/labeler.ts'
import { ruleNames } from '../../services/labeler/rules/gopher.ts'
import { readRows } from '../../services/labeler/training/rows.ts'

const texts: string[] = []
for await (const { text } of readRows(process.argv.slice(2))) texts.push(text)
const megabytes = texts.reduce((sum, text) => sum + text.length, 0) / 1e6
const inputs = texts.map((text) => ({ text, meta: {} }))
console.log(`${texts.length} documents, ${megabytes.toFixed(1)} MB`)

async function measure(what: string, work: () => Promise<unknown> | unknown): Promise<void> {
  const began = performance.now()
  const result = await work()
  const seconds = (performance.now() - began) / 1000
  console.log(what, {
    documentsPerSecond: Math.round(texts.length / seconds),
    megabytesPerSecond: megabytes / seconds,
    result,
  })
}

const labelers = {
  rules: ['passed', ...ruleNames],
  language: ['en', 'de', 'fr', 'es', 'other'],
}
for (const [kind, subcategories] of Object.entries(labelers)) {
  const labeler = await createLabeler({ name: kind, subcategories }, labelerConfig.parse({ kind }), '/')
  await measure(kind, async () => {
    const counts: Record<string, number> = {}
    for (const result of await labeler.label(inputs)) {
      const name = result.ok ? subcategories[result.subcategory]! : result.reason
      counts[name] = (counts[name] ?? 0) + 1
    }
    return counts
  })
}
for (const nearSimilarity of [undefined, 0.8]) {
  await measure(nearSimilarity === undefined ? 'exact duplicates' : 'exact and near duplicates', () => {
    const index = new DuplicateIndex({ nearSimilarity })
    const counts = { kept: 0, 'exact-duplicate': 0, 'near-duplicate': 0 }
    for (const [line, text] of texts.entries()) counts[index.add(text, { file: 0, line })?.reason ?? 'kept']++
    return counts
  })
}
