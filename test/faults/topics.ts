import type { RecordType, RecordValue } from '../../schemas/index.ts'
import { Document, Label, labelsTopic, topics } from '../../schemas/index.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { MemoryStore } from '../../topologies/memory-store.ts'
import type { Delivered } from '../../topologies/node.ts'
import type { Corpus } from '../../topologies/selection/corpus.ts'
import { LabelSink } from '../../topologies/stations/label-sink.ts'
import { until } from '../support/kafka.ts'
import { documentAt, documentCount, labelOf, runNamed, subcategories } from './corpus.ts'
import type { World } from './world.ts'

const partitions = 6
const actors = Object.keys(subcategories)
const corpusTopics = [
  ...[topics.documents, topics.exclusions, topics.sketches, topics.sources, topics.deadLetters, topics.runs],
  ...actors.map(labelsTopic),
]

/** The topics of the corpus, empty. Their names are the same for all tests of the cluster, and another may have left something in them. */
export async function renewCorpusTopics({ runtime: { kafka } }: World): Promise<void> {
  const names = new Set(corpusTopics.map(({ name }) => name))
  const there = async () => (await kafka.topicNames()).filter((name) => names.has(name))
  await kafka.deleteTopics(await there())
  await until(async () => (await there()).length === 0)
  await kafka.createTopics(
    corpusTopics.map(({ partitions: of, ...topic }) => ({
      ...topic,
      partitions: typeof of === 'string' ? partitions : of,
    })),
  )
}

/** What a label sink must make of the topics. */
export interface SunkCorpus {
  readonly documents: number
  readonly committed: Awaited<ReturnType<MemoryStore['committed']>>
  readonly groups: Awaited<ReturnType<Corpus['groups']>>
}

/** Writes documents and labels into new topics, in waves and some of them twice, and computes from these topics what they stand for. */
export async function openCorpus(world: World): Promise<SunkCorpus> {
  await renewCorpusTopics(world)
  const { kafka, codec } = world.runtime
  const producer = await kafka.producer()
  const send = <R extends RecordType>(topic: string, record: R, values: (RecordValue<R> & { docId: bigint })[]) =>
    producer.send(values.map((value) => ({ topic, key: `${value.docId}`, value: codec.encode(record, value) })))
  const waves = 5
  for (let wave = 0; wave < waves; wave++) {
    const first = (wave * documentCount) / waves
    const documents = Array.from({ length: documentCount / waves }, (_, i) => documentAt(first + i))
    // A producer that was killed sends what it had sent before.
    await send(topics.documents.name, Document, [...documents, ...documents.slice(0, 50)])
    for (const actor of actors) {
      const labels = documents.map(({ docId, text, tokens }) => {
        const label = labelOf(actor, text)
        if (!label.ok) throw new Error('every document of this corpus has its labels')
        return { docId, actor, subcategory: label.subcategory, score: label.score, tokens, version: 'v1' }
      })
      await send(labelsTopic(actor).name, Label, [...labels, ...labels.slice(0, 50)])
    }
  }
  await producer.close()
  return await sunk(world)
}

/** What the topics stand for, whatever else is in them. */
async function sunk(world: World): Promise<SunkCorpus> {
  const store = new MemoryStore()
  const rejected: unknown[] = []
  const unused = () => Promise.reject(new Error('a label sink writes nothing'))
  const deadLetter = (delivered: Delivered) => void rejected.push(delivered)
  const station = new LabelSink(store, { send: unused, transaction: unused, deadLetter })
  for (const { name } of [topics.documents, ...actors.map(labelsTopic)])
    await station.process(await world.records(name))
  const committed = await store.committed()
  const view = await store.view({ columns: columnsOf(runNamed('any')), labelOffsets: committed, readsOf: null })
  const groups = await view.groups()
  const documents = groups.reduce((sum, group) => sum + group.documents, 0)
  return { documents, committed, groups }
}
