import { expect, onTestFinished, test } from 'vitest'
import { type Manifest, runTopics } from '../../../schemas/index.ts'
import { createRunTopics } from '../../../services/connections/connections.ts'
import { KafkaOutput } from '../../../services/runtime/output.ts'
import { SelectionReader } from '../../../services/selections/selection-reader.ts'
import { type DecidedSelection, emitSelection } from '../../../topologies/console/emitting.ts'
import { stretchesFrom } from '../../../topologies/console/parts.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

/** Chunks of 2 ids, parts of 5 chunks. */
const layout = { chunkDocuments: 2, partChunks: 5 }
const run = 'parts'
const ids = Array.from({ length: 23 }, (_, i) => 2n ** 63n + BigInt(i))

async function* pieces(of: readonly bigint[], size = 7): AsyncGenerator<BigUint64Array> {
  for (let i = 0; i < of.length; i += size) yield BigUint64Array.from(of.slice(i, i + size))
}

const decided = (round: number, emitted: AsyncIterable<BigUint64Array>): DecidedSelection => ({
  ids: emitted,
  manifest: {
    ...{ run, round, step: 0, actors: [], theta: [], weights: [], actorRewards: [], documents: ids.length, tokens: 0 },
    ...{ threshold: null, marginal: null, strata: null, histogramDigest: '', labelOffsets: [] },
    chunkDocuments: layout.chunkDocuments,
  },
})

async function open() {
  const runtime = await memoryRuntime()
  await createRunTopics(runtime.kafka, parityRun(run))
  const output = await KafkaOutput.open({ ...runtime, transactionalId: 'console' })
  const reader = await SelectionReader.open({ ...runtime, run, reader: 'test' })
  onTestFinished(async () => {
    await reader.close()
    await output.close()
    await runtime.close()
  })
  const read = async (manifest: Manifest, index: number) => {
    const found: bigint[] = []
    for await (const chunk of reader.chunks(manifest, index)) found.push(...chunk)
    return found
  }
  return { output, read, kafka: runtime.kafka }
}

test('a selection in parts is read completely, from any index, across transaction markers', async () => {
  const { output, read } = await open()
  const first = await emitSelection(output, decided(0, pieces(ids)), layout)
  // 12 chunks; a marker stands after each part.
  expect(first.parts).toEqual([
    { chunkFirst: 0, offsetFirst: 0 },
    { chunkFirst: 5, offsetFirst: 6 },
    { chunkFirst: 10, offsetFirst: 12 },
  ])
  const second = await emitSelection(output, decided(1, pieces(ids.toReversed(), 1)), layout)
  expect(second.parts.map(({ offsetFirst }) => offsetFirst)).toEqual([15, 21, 27])
  for (let index = 0; index <= ids.length; index++) {
    expect(await read(first, index)).toEqual(ids.slice(index))
    expect(await read(second, index)).toEqual(ids.toReversed().slice(index))
  }
})

test('parts written by a console that died between two of them are in no manifest, and its successor writes all of them', async () => {
  const { output, read, kafka } = await open()
  async function* broken() {
    yield* pieces(ids.slice(0, 14))
    throw new Error('the store is away')
  }
  await expect(emitSelection(output, decided(0, broken()), layout)).rejects.toThrow('the store is away')
  const manifest = await emitSelection(output, decided(0, pieces(ids)), layout)
  expect(manifest.parts[0]!.offsetFirst).toBeGreaterThan(5)
  expect(await read(manifest, 0)).toEqual(ids)
  const inTopic = (await kafka.endOffsets(runTopics(run).selections.name))[0]!
  // The part that was complete, its marker, the chunks of the one that was not, its marker.
  expect(inTopic - manifest.parts[0]!.offsetFirst).toBe(12 + 3)
})

test('more or fewer ids than were decided are not a valid selection', async () => {
  const { output, kafka } = await open()
  const of = (more: readonly bigint[]) => emitSelection(output, decided(0, pieces(more)), layout)
  await expect(of([...ids, 1n, 2n])).rejects.toThrow('round 0 has more ids than the 23 that were decided')
  await expect(of(ids.slice(0, 20))).rejects.toThrow('round 0 has fewer ids than the 23 that were decided')
  const states: unknown[] = []
  for await (const records of kafka.read(runTopics(run).consoleState.name)) states.push(...records)
  expect(states).toEqual([])
})

test('a selection written before parts existed is read as one part', () => {
  const before = { documents: 23, chunkDocuments: 2, chunkOffsetFirst: 40, parts: [] }
  expect(stretchesFrom(before, 3)).toEqual([{ offsetFirst: 43, chunks: 9 }])
  expect(stretchesFrom({ ...before, documents: 0, chunkOffsetFirst: -1 }, 0)).toEqual([])
})
