/**
 * How fast documents are sketched for near duplicates (docs/duplicates.md), beside how fast they are ingested: ingest alone, ingest with the station at work beside it in a process of its own, until it
 * has caught up, and sketching alone, in one thread. One document in a hundred is an earlier one with a word changed: how many of these share a band with it, and how many that do were not
 * planted. Run by hand on a quiet machine: node test/bench/duplicates.ts [documents] [words] (default 500,000 of 250; 10^7 of them take half an hour and 30 GB of disk). The target is 0.8 of the rate of
 * ingest alone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Sketch, topics } from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { consumerGroupOf } from '../../services/runtime/consumer-groups.ts'
import { duplicatesStation } from '../../topologies/dataflow.ts'
import { Sketcher, sketchDefaults, sketchVersion } from '../../topologies/duplicates/sketch.ts'
import { mix32 } from '../../topologies/hash.ts'
import { parityRun } from '../support/memory-runtime.ts'
import { measureStation } from './station.ts'

const documents = Number(process.argv[2] ?? 500_000)
const wordsOfDocument = Number(process.argv[3] ?? 250)
const plantedEvery = 100
/** Of so many blocks of `plantedEvery` rows the sketches of one are looked at: what looks at them is not to need more memory than what is measured. */
const blocksPerSample = Math.ceil(documents / 500_000)
const isSampled = (row: number) => Math.floor(row / plantedEvery) % blocksPerSample === 0

/** The n-th number of a row below `below`. */
const numberOf = (row: number, n: number, below: number) => mix32(Math.imul(row, 0x9e3779b1) ^ mix32(n)) % below
/** The k-th word is about 1 / k as frequent as the first. */
const words = Array.from({ length: 2 ** 16 }, (_, n) => `w${Math.floor(50_000 ** (n / 2 ** 16)).toString(36)}`)
const wordOf = (row: number, n: number) => words[numberOf(row, n, words.length)]!
const wordsOf = (row: number) => Array.from({ length: wordsOfDocument }, (_, n) => wordOf(row, n))
/** Of a planted row the one that it is a copy of: one that is none itself. */
const originalOf = (row: number) => (row >= plantedEvery && row % plantedEvery === 7 ? row - 7 : undefined)
const textOf = (row: number): string => {
  const own = wordsOf(originalOf(row) ?? row)
  if (originalOf(row) !== undefined) own[numberOf(row, -1, wordsOfDocument)] = 'changed'
  return own.join(' ')
}
let planted = 0
let sampled = 0
for (let row = 0; row < documents; row++) {
  if (originalOf(row) === undefined) continue
  planted++
  if (isSampled(row)) sampled++
}

const version = sketchVersion(sketchDefaults)
const sketcher = new Sketcher(sketchDefaults)

async function untilSketched({ kafka }: Runtime): Promise<void> {
  const { name } = topics.documents
  const group = consumerGroupOf(duplicatesStation, { versions: { sketches: version } })
  const ends = await kafka.endOffsets(name)
  const left = async () => {
    const read = await kafka.committedOffsets(group, name)
    return ends.some((end, partition) => (read[partition] ?? 0) < end)
  }
  while (await left()) await sleep(20)
}

/** Documents by band key: those that share one with an earlier document. */
async function found({ kafka, codec }: Runtime): Promise<string> {
  const first = new Map<number, number>()
  const shared = new Set<number>()
  let others = 0
  for await (const records of kafka.read(topics.sketches.name))
    for (const { value } of records) {
      const { docId, keys } = (await codec.decode(value!)).value as Sketch
      const row = Number(docId & 0xffffffffffn)
      if (!isSampled(row)) continue
      for (const key of keys) {
        const before = first.get(Number(key))
        if (before === undefined) first.set(Number(key), row)
        else if ((originalOf(row) ?? row) === (originalOf(before) ?? before)) shared.add(Math.max(row, before))
        else others++
      }
    }
  return `${((100 * shared.size) / sampled).toFixed(2)}% of ${sampled} planted found; ${others} keys shared by others`
}

await measureStation({
  kind: 'duplicates',
  documents,
  textOf,
  planted: () => `${planted} planted`,
  work: (text) => sketcher.keysOf(text),
  prepare: (runtime) => submitRun(runtime, parityRun('bench', { duplicates: { atMost: 1 } })),
  caughtUp: untilSketched,
  found,
})
