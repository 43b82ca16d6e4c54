import { expect, test } from 'vitest'
import { asDocumentId, Document, type Exclusion, topics } from '../../schemas/index.ts'
import { decontaminationStation, labelSinkStation, type Station } from '../../topologies/dataflow.ts'
import { ContaminationFilter } from '../../topologies/decontamination/filter.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import { FaultDriver, type Faults, faultyStore, noFaults } from '../support/fault-driver.ts'
import { Seeded } from '../support/seeded.ts'

const seeds = process.env.WINNOW_FAULT_SOAK === '1' ? 5_000 : 60
const item = 'which of these four birds is known to sleep while it flies over the open sea for months'
const faults: Faults = {
  ...{ ...noFaults, lost: 0.03, unknown: 0.03, crash: 0.03, zombie: 0.3 },
  ...{ rewind: 0.02, replay: 0.02, rebalance: 0.02 },
}

test('documents with an item of a set are excluded in the end, and no others, whatever dies between any two steps', async () => {
  let crashes = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const random = new Seeded(seed)
    const store = new MemoryStore()
    const filter = new ContaminationFilter([{ name: 'birds', ngram: 13, share: 0.5, items: [item] }])
    const driver = new FaultDriver(new Seeded(seed + 1000), () => 3, {
      ports: (call) => ({ store: faultyStore(store, call, random) }) as never,
    })
    const station: Station = {
      ...decontaminationStation,
      build: (_, output) => decontaminationStation.build({ filter, now: () => 0 }, output),
    }
    driver.add([station, labelSinkStation([])])
    const documents = Array.from({ length: 40 }, (_, n): Document => {
      const text = random.chance(0.3) ? `${n} begins. ${item.toUpperCase()}! And it ends.` : `document ${n}`
      return { docId: asDocumentId(BigInt(n)), text, tokens: 1, meta: '{}' }
    })
    driver.faults = faults
    for (const value of documents) {
      driver.append([{ topic: topics.documents.name, record: Document, key: `${value.docId}`, value }])
      for (let i = 0; i < 4; i++) await driver.step()
    }
    driver.faults = noFaults
    await driver.settle()
    crashes += driver.counts.crash
    const planted = documents.filter(({ text }) => text.includes('BIRDS')).map(({ docId }) => docId)
    const excluded = driver.log.records<Exclusion>(topics.exclusions.name).map(({ value }) => value.docId)
    expect([seed, [...new Set(excluded)].sort()]).toEqual([seed, planted.toSorted()])
    const corpus = await store.view({ columns: [], labelOffsets: await store.committed(), readsOf: null })
    const there = [...(await corpus.describe(documents.map(({ docId }) => docId))).keys()]
    expect(there.sort()).toEqual(documents.flatMap(({ docId }) => (planted.includes(docId) ? [] : [docId])).sort())
  }
  expect(crashes).toBeGreaterThan(seeds / 4)
}, 120_000)
