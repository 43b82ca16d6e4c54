/**
 * How fast documents are compared with evaluation sets (docs/decontamination.md), beside how fast they are ingested: ingest alone, ingest with the station at work beside it in a
 * process of its own, until it has caught up, and the comparison alone, in one thread. Items are planted in one document in a thousand; recall and precision are checked.
 * Run by hand on a quiet machine: node test/bench/decontamination.ts [documents] [items]. The target is 0.8 of the rate of ingest alone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Exclusion, topics } from '../../schemas/index.ts'
import { checkedOf } from '../../services/host/decontamination.ts'
import { readEvalSets } from '../../services/host/eval-sets.ts'
import { addEvalSet } from '../../services/runs/eval-sets/record.ts'
import { readTopic } from '../../services/runs/recorded.ts'
import { ContaminationFilter } from '../../topologies/decontamination/filter.ts'
import { mix32 } from '../../topologies/hash.ts'
import { measureStation } from './station.ts'

const documents = Number(process.argv[2] ?? 500_000)
const itemCount = Number(process.argv[3] ?? 20_000)
const wordsOfDocument = 250
const plantedEvery = 1000

let count = 0
const next = (n: number) => mix32(Math.imul(count++, 0x9e3779b1)) % n
/** The k-th word is about 1 / k as frequent as the first. */
const words = (of: number) =>
  Array.from({ length: of }, () => `w${Math.floor(50_000 ** (next(1_000_000) / 1_000_000)).toString(36)}`)
const items = Array.from({ length: itemCount }, () => words(20 + next(80)).join(' '))
const planted = new Set<number>()
const textOf = (row: number): string => {
  const all = words(wordsOfDocument)
  if (row % plantedEvery === 7) {
    planted.add(row)
    all.splice(next(all.length), 0, items[next(itemCount)]!.toUpperCase())
  }
  return all.join(' ')
}

const set = { name: 'bench', ngram: 13, share: 0.5, items, by: 'bench', origin: 'bench' }
const filter = new ContaminationFilter([set])

await measureStation({
  kind: 'decontamination',
  documents,
  textOf,
  planted: () => `${planted.size} planted, ${itemCount} items`,
  work: (text) => filter.match(text),
  prepare: async (runtime) => void (await addEvalSet(runtime, set)),
  caughtUp: async (runtime) => {
    const sets = await readEvalSets(runtime)
    while ((await checkedOf(runtime, sets)) < 1) await sleep(20)
  },
  found: async (runtime) => {
    const excluded = (await readTopic(runtime, topics.exclusions.name)).map(({ value }) => value as Exclusion)
    const rows = new Set(excluded.map(({ docId }) => Number(docId & 0xffffffffffn)))
    const right = [...rows].filter((row) => planted.has(row)).length
    return `recall ${right / planted.size}, precision ${right / rows.size}`
  },
})
