/**
 * Documents and labels that arrive while rounds are decided: every second 10,000 documents and 30,000 labels, written as the label sink writes
 * them. A tenth of the labels repeat those of earlier documents. Prints a line a second; ends with its input.
 */
import { asDocumentId } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'
import { asOf, columns } from './corpus.ts'

const { clickhouseUrl, from } = JSON.parse(process.argv[2]!) as { clickhouseUrl: string; from: number }
const documentsPerSecond = 10_000
const { sql } = await createClickHouse({ url: clickhouseUrl })
const store = new ClickHouseStore(sql)
const text = 'The quick brown fox jumps over the lazy dog. '.repeat(8)
process.stdin.on('end', () => process.exit()).resume()

const began = performance.now()
for (let second = 0; ; second++) {
  const first = from + second * documentsPerSecond
  const numbers = Array.from({ length: documentsPerSecond }, (_, i) => first + i)
  const at = (number: number) => ({ docId: asDocumentId(splitmix64(BigInt(number))), offset: number, partition: 0 })
  await store.addDocuments(
    numbers.map((number) => {
      const { docId, ...place } = at(number)
      return { ...place, value: { docId, text, meta: '{}', tokens: 90 } }
    }),
  )
  for (const { actor, version } of columns)
    await store.addLabels(
      numbers.map((number) => {
        const { docId } = at(number % 10 === 0 ? Math.max(from, number - documentsPerSecond) : number)
        const value = { docId, actor, version, subcategory: Number(docId % 5n), score: 0, tokens: 90 }
        return { value, offset: number, partition: 0 }
      }),
    )
  await store.commit(asOf(first + documentsPerSecond))
  const seconds = (performance.now() - began) / 1000
  console.log(JSON.stringify({ documents: first + documentsPerSecond - from, seconds }))
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, (second + 1 - seconds) * 1000)))
}
