import { expect, test } from 'vitest'
import { asDocumentId, Document, type DocumentId } from '../../schemas/index.ts'
import { duplicatesStation, labelSinkStation, type Station } from '../../topologies/dataflow.ts'
import { Sketcher, sketchDefaults, sketchVersion } from '../../topologies/duplicates/sketch.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { FaultDriver, type Faults, faultyStore, noFaults } from '../support/fault-driver.ts'
import { Seeded } from '../support/seeded.ts'

const seeds = process.env.WINNOW_FAULT_SOAK === '1' ? 5_000 : 60
const version = sketchVersion(sketchDefaults)
const faults: Faults = {
  ...{ ...noFaults, lost: 0.03, unknown: 0.03, crash: 0.03, zombie: 0.3 },
  ...{ rewind: 0.02, replay: 0.02, rebalance: 0.02 },
}

test('of each cluster the smallest ids are left in the end, whatever order documents come in, to how many partitions, and whatever dies between any two steps', async () => {
  let crashes = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const random = new Seeded(seed)
    const store = new MemoryStore()
    const partitions = 1 + random.below(4)
    const driver = new FaultDriver(new Seeded(seed + 1000), () => partitions, {
      ports: (call) => ({ store: faultyStore(store, call, random) }) as never,
    })
    const sketcher = new Sketcher(sketchDefaults)
    const station: Station = {
      ...duplicatesStation,
      build: (_, output) => duplicatesStation.build({ sketcher, version }, output),
    }
    driver.add([station, labelSinkStation([])])
    // Ten texts, of which each document has one, in large letters or small ones.
    const copied = Array.from({ length: 40 }, () => random.below(10))
    const documents = copied.map((of, n): Document => {
      const words = `this is what number ${of} says to all ${10 - of} others of them, word ${of} for word ${of}`
      return {
        docId: asDocumentId(BigInt(n)),
        text: random.chance(0.5) ? words.toUpperCase() : words,
        tokens: 1,
        meta: '{}',
      }
    })
    const order = documents.map((one) => [random.next(), one] as const).sort(([a], [b]) => a - b)
    driver.faults = faults
    for (const [, value] of order) {
      driver.append([{ topic: 'winnow.documents', record: Document, key: `${value.docId}`, value }])
      for (let i = 0; i < 4; i++) await driver.step()
    }
    driver.faults = noFaults
    await driver.settle()
    crashes += driver.counts.crash
    const labelOffsets = await store.committed()
    expect(await store.sketched({ columns: [], labelOffsets }, version)).toEqual({ done: 40, total: 40 })
    for (const atMost of [1, 2]) {
      const corpus = await store.view({ columns: [], labelOffsets, readsOf: null, duplicates: { version, atMost } })
      const there = [...(await corpus.describe(documents.map(({ docId }) => docId))).keys()]
      const first = (docId: DocumentId) =>
        copied.slice(0, Number(docId)).filter((of) => of === copied[Number(docId)]).length < atMost
      expect([seed, atMost, there.map(Number).sort((a, b) => a - b)]).toEqual([
        ...[seed, atMost],
        documents.flatMap(({ docId }) => (first(docId) ? [Number(docId)] : [])),
      ])
    }
  }
  expect(crashes).toBeGreaterThan(seeds / 4)
}, 120_000)
