import { join } from 'node:path'
import { expect, test } from 'vitest'
import { labelModel, startLabeler } from '../../docs/examples/labeler.ts'
import { bestOf, sizesOf } from '../../docs/examples/query.ts'
import { beginning, type Place, trainOn } from '../../docs/examples/trainer.ts'
import { asDocumentId, type Document, type Label, labelsTopic, type Manifest, topics } from '../../schemas/index.ts'
import { definitionOf } from '../../services/connections/connections.ts'
import { readable } from '../../services/corpus/readable.ts'
import { startRunStations } from '../../services/host/run.ts'
import { readManifests, readProgress, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { MasterKeys } from '../../services/texts/master-keys.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { until } from '../support/kafka.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { fail, openWorld, type World } from './loop-world.ts'

const corpusDocuments = 60

/** Of a corpus whose texts are encrypted: what reads these reads plain ones too. */
function encrypted(): { encryption: string } {
  const encryption = join(temporaryFolder('examples'), 'keys.json')
  MasterKeys.create(encryption, 0)
  return { encryption }
}

/** The first texts of a round's selection. */
async function textsOf({ runtime }: World, run: RunConfig, manifest: Manifest, count: number): Promise<string[]> {
  const reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
  const ids: bigint[] = []
  for await (const chunk of reader.chunks(manifest)) ids.push(...chunk)
  await reader.close()
  const texts = await readable(runtime).texts(ids.slice(0, count).map(asDocumentId))
  return ids.slice(0, count).map((id) => texts.get(asDocumentId(id))!)
}

test('the example trainer, killed between steps and resumed, reads every stage in the order of its selection', async () => {
  const world = await openWorld(corpusDocuments, encrypted())
  const { runtime } = world
  const run = world.run('own', {}, { sampleDocuments: 0 })
  await submitRun(runtime, run)
  const stations = await startRunStations(runtime, run, world.model, { onFailure: fail })

  let read: string[] = []
  let saved: { place: Place; read: string[] } = { place: beginning, read: [] }
  const model = (stepsUntilKilled: number) => ({
    async step(texts: readonly string[]) {
      if (stepsUntilKilled-- === 0) throw new Error('killed')
      read.push(...texts)
      return { loss: 1, tokens: texts.length }
    },
    async save(place: Place) {
      saved = { place, read: [...read] }
      return { path: `step-${place.step}`, digest: `${place.step}` }
    },
  })
  await expect(trainOn(runtime, run, model(3), beginning)).rejects.toThrow('killed')
  expect(saved.place).toEqual({ step: 2, tokens: 4, round: 0, index: 4 })
  read = [...saved.read]
  await trainOn(runtime, run, model(Number.POSITIVE_INFINITY), saved.place)
  await closeAll(stations)

  const manifests = await readManifests(runtime, run.name)
  expect(manifests.map(({ round }) => round)).toEqual([0, 1, 2])
  const stageDocuments = run.updateSteps * run.trainer.batch
  const stages = await Promise.all(manifests.map((manifest) => textsOf(world, run, manifest, stageDocuments)))
  expect(read).toEqual(stages.flat())
  expect(read.filter((text) => !/^(harbour|kitchen|ledger) /.test(text))).toEqual([])
  const last = (await readProgress(runtime, run.name)).at(-1)!
  expect(last).toMatchObject({ step: 6, tokens: 12, round: 2, position: 4, checkpoint: { step: 6 } })
})

test('the example labeler labels the corpus on Kafka', async () => {
  const { runtime } = await openWorld(corpusDocuments, encrypted())
  const topic = labelsTopic(labelModel.actor)
  await runtime.kafka.createTopics([definitionOf(topic, { partitions: 3, recordBytesMax: 1_048_588 })])
  const labeler = await startLabeler(runtime, fail)
  let labels: Label[] = []
  await until(async () => {
    labels = (await readTopic(runtime, topic.name)).map(({ value }) => value as Label)
    return labels.length >= corpusDocuments
  })
  await labeler.close()
  await runtime.kafka.deleteTopics([topic.name])
  expect(new Set(labels.map(({ docId }) => docId)).size).toBe(corpusDocuments)
  for (const label of labels) expect(label).toMatchObject({ subcategory: 0, score: 0, version: 'capitals1' })
})

test('the example queries return sizes of subcategories and highest-scoring documents that agree with the label topics', async () => {
  const world = await openWorld(corpusDocuments)
  const { runtime, versions } = world
  const { sql } = runtime.clickHouse
  const documents = new Map(
    (await readTopic(runtime, topics.documents.name)).map(({ value }) => [
      (value as Document).docId,
      value as Document,
    ]),
  )
  for (const [actor, version] of Object.entries(versions)) {
    const labels = (await readTopic(runtime, labelsTopic(actor).name)).map(({ value }) => value as Label)
    const bySubcategory = Map.groupBy(labels, ({ subcategory }) => subcategory)
    expect(await sizesOf(sql, { actor, version })).toEqual(
      [...bySubcategory]
        .sort(([a], [b]) => a - b)
        .map(([subcategory, of]) => ({
          subcategory,
          documents: of.length,
          tokens: of.reduce((sum, { tokens }) => sum + tokens, 0),
        })),
    )
    for (const [subcategory, of] of bySubcategory) {
      const best = of.toSorted((a, b) => b.score - a.score || (a.docId < b.docId ? -1 : 1)).slice(0, 3)
      expect(await bestOf(sql, { actor, version }, subcategory, 3)).toEqual(
        best.map(({ docId, score }) => ({ id: `${docId}`, score, beginning: documents.get(docId)!.text.slice(0, 80) })),
      )
    }
  }
})
