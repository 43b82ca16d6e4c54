import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asDocumentId, type TopicOffset, topics } from '../../../schemas/index.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { type ClickHouse, createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import type { CorpusStore } from '../../../topologies/corpus-store.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { splitmix64 } from '../../../topologies/selection/u64.ts'

const columns = [
  { actor: 'quality', version: 'v1', topic: 'winnow.labels.quality' },
  { actor: 'topic', version: 'v1', topic: 'winnow.labels.topic' },
]
const partitions = 2
const documents = 300
const inputs = [topics.documents.name, ...columns.map(({ topic }) => topic)]
/** Pseudo-random and the same every time. */
const draw = (n: number, salt: number, below: number) => Number(splitmix64(BigInt(n * 31 + salt)) % BigInt(below))

const folder = mkdtempSync(join(tmpdir(), 'winnow-histogram-'))
let clickHouse: ClickHouse
beforeAll(async () => {
  clickHouse = await createClickHouse({ url: `chdb:${folder}` })
  await migrate(clickHouse.sql)
})
afterAll(async () => {
  await clickHouse.close()
  rmSync(folder, { recursive: true })
})

/** Record `n` of an input is at offset n / partitions of partition n % partitions; input i has them in an order of its own. */
const orders = inputs.map((_, i) =>
  Array.from({ length: documents }, (_, n) => n).sort((a, b) => draw(a, i, 1000) - draw(b, i, 1000) || a - b),
)
const partitionOf = (n: number) => n % partitions

/** Adds the records of input `i` from place `from` to `to` of its order. */
async function add(store: CorpusStore, i: number, from: number, to: number): Promise<void> {
  const records = orders[i]!.slice(from, to).map((n, k) => ({ n, partition: partitionOf(n), offset: from + k }))
  if (i === 0) {
    await store.addDocuments(
      records.map(({ n, ...at }) => ({
        value: { docId: asDocumentId(BigInt(n)), text: '', meta: '{}', tokens: 1 + (n % 5) },
        ...at,
      })),
    )
    return
  }
  const { actor, version } = columns[i - 1]!
  await store.addLabels(
    records.map(({ n, ...at }) => ({
      value: {
        docId: asDocumentId(BigInt(n)),
        actor,
        subcategory: draw(n, 7 + i, 3),
        score: 0.5,
        tokens: 1 + (n % 5),
        version,
      },
      ...at,
    })),
  )
}

const asOf = (places: readonly number[]): TopicOffset[] =>
  inputs.flatMap((topic, i) =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, offsetNext: places[i]! })),
  )

async function histogram(store: CorpusStore, places: readonly number[]) {
  const groups = await (await store.view({ columns, labelOffsets: asOf(places), readsOf: null })).groups()
  return groups.map((group) => JSON.stringify(group)).sort()
}

describe('the cell histogram of one store, kept from question to question', () => {
  it('is that of a count from nothing, as of any offsets, later or earlier, whatever came late or twice', async () => {
    const kept = new ClickHouseStore(clickHouse.sql)
    const memory = new MemoryStore()
    const steps = [
      [0, 0, 0],
      [40, 10, 0],
      [100, 90, 30],
      // Labels before their documents.
      [100, 150, 200],
      [300, 150, 220],
      // Nothing new.
      [300, 150, 220],
      [300, 300, 300],
    ]
    let before = [0, 0, 0]
    for (const places of steps) {
      for (const store of [kept, memory]) {
        for (const [i, place] of places.entries()) {
          await add(store, i, before[i]!, place)
          // A batch that comes twice.
          await add(store, i, Math.max(0, before[i]! - 5), place)
        }
      }
      before = places
      const expected = await histogram(memory, places)
      expect(await histogram(kept, places)).toEqual(expected)
      expect(await histogram(new ClickHouseStore(clickHouse.sql), places)).toEqual(expected)
    }
    expect(before).toEqual([documents, documents, documents])
    // Everything is there now; what stood before earlier offsets is still exact, and does not disturb the later ones.
    for (const places of [steps[2]!, [100, 20, 40], steps.at(-1)!])
      expect(await histogram(kept, places)).toEqual(await histogram(memory, places))
  })
})
