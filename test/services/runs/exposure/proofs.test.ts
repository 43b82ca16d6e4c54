import { expect, onTestFinished, test } from 'vitest'
import { asDocumentId, type Manifest } from '../../../../schemas/index.ts'
import { createRunTopics } from '../../../../services/connections/connections.ts'
import { indexInSelection } from '../../../../services/runs/exposure/find.ts'
import { prove } from '../../../../services/runs/exposure/prove.ts'
import { KafkaOutput } from '../../../../services/runtime/output.ts'
import { selectionsOf } from '../../../../services/selections/chunks.ts'
import { emitSelection } from '../../../../topologies/console/emitting.ts'
import { type Proof, proofOf, proofText, verifyProof } from '../../../../topologies/exposure/proof.ts'
import { compareIds, orderKey, seedOf, splitmix64 } from '../../../../topologies/selection/u64.ts'
import { memoryRuntime, parityRun } from '../../../support/memory-runtime.ts'

const run = 'proofs'
const seed = '7'
const layout = { chunkDocuments: 64, partChunks: 9 }

async function open() {
  const runtime = await memoryRuntime()
  await createRunTopics(runtime.kafka, parityRun(run))
  const output = await KafkaOutput.open({ ...runtime, transactionalId: 'console' })
  onTestFinished(async () => {
    await output.close()
    await runtime.close()
  })
  /** @returns the manifest, and the ids in emission order */
  const emit = async (round: number, count: number) => {
    const orderSeed = seedOf(seed, round, 'order')
    const ids = Array.from({ length: count }, (_, i) => asDocumentId(splitmix64(BigInt(i))))
    ids.sort((a, b) => compareIds(orderKey(a, orderSeed), orderKey(b, orderSeed)))
    async function* pieces() {
      yield BigUint64Array.from(ids)
    }
    const manifest: Omit<Manifest, 'chunkOffsetFirst' | 'parts' | 'selectionDigest' | 'selectionRoot'> = {
      ...{ run, round, step: 0, actors: [], theta: [], weights: [], actorRewards: [], documents: count, tokens: 0 },
      ...{ threshold: null, marginal: null, strata: null, histogramDigest: '', labelOffsets: [] },
      chunkDocuments: layout.chunkDocuments,
    }
    return { manifest: await emitSelection(output, { manifest, ids: pieces() }, layout), ids, orderSeed }
  }
  return { runtime, selections: selectionsOf(runtime), emit }
}

const absent = (i: number) => asDocumentId(splitmix64(BigInt(1_000_000 + i)))

test('a document is found in the stream at its index, whether few chunks or many, and others are not', async () => {
  const { runtime, emit } = await open()
  for (const [round, count] of [0, 1, 64, 65, 3001].entries()) {
    const { manifest, ids, orderSeed } = await emit(round, count)
    const find = (id: bigint) => indexInSelection(runtime, manifest, orderSeed, asDocumentId(id))
    for (const [i, id] of ids.entries()) if (i % 13 === 0 || i < 3 || i > count - 3) expect(await find(id)).toBe(i)
    for (let i = 0; i < 50; i++) expect(await find(absent(i))).toBeUndefined()
  }
})

test('few chunks of a long selection are read', async () => {
  const { runtime, emit } = await open()
  const { manifest, ids, orderSeed } = await emit(0, 20_000)
  let reads = 0
  const counted = {
    codec: runtime.codec,
    kafka: {
      read: (...of: Parameters<typeof runtime.kafka.read>) => {
        reads++
        return runtime.kafka.read(...of)
      },
    },
  }
  for (let i = 0; i < 100; i++) await indexInSelection(counted, manifest, orderSeed, ids[i * 200]!)
  expect(reads / 100).toBeLessThan(3)
})

test('proofs hold: of documents that are in a selection, at their index, and of others', async () => {
  const { selections, emit } = await open()
  for (const [round, count] of [0, 1, 255, 256, 257, 3001].entries()) {
    const { manifest, ids } = await emit(round, count)
    const root = manifest.selectionRoot!
    const proven = async (id: bigint) => {
      const proof = proofText(await prove(selections, manifest, seed, asDocumentId(id)))
      return verifyProof(proofOf(JSON.parse(JSON.stringify(proof))), root)
    }
    for (let i = 0; i < count; i += 250) expect(await proven(ids[i]!)).toBe(i)
    if (count > 0) expect(await proven(ids.at(-1)!)).toBe(count - 1)
    for (let i = 0; i < 12; i++) expect(await proven(absent(i))).toBeNull()
  }
})

test('a proof that was changed anywhere does not hold, nor one of another selection', async () => {
  const { selections, emit } = await open()
  const { manifest, ids } = await emit(0, 3001)
  const root = manifest.selectionRoot!
  const inside = await prove(selections, manifest, seed, ids[700]!)
  const between = absent(3)
  const outside = await prove(selections, manifest, seed, between)
  const [leaf] = inside.leaves
  const other = await prove(selections, manifest, seed, ids[2000]!)
  const wrong: Partial<Proof>[] = [
    { documents: 3000 },
    { documents: 3002 },
    { documents: 0 },
    { leaves: [] },
    { leaves: [{ ...leaf!, number: leaf!.number + 1 }] },
    { leaves: [{ ...leaf!, ids: leaf!.ids.with(1, ids[0]!) }] },
    { leaves: [{ ...leaf!, ids: leaf!.ids.slice(1) }] },
    { leaves: [{ ...leaf!, path: leaf!.path.slice(1) }] },
    { leaves: [{ ...leaf!, path: leaf!.path.with(0, Buffer.alloc(32)) }] },
    // Leaves that are real, and leave out where the document is.
    { leaves: other.leaves },
    { leaves: [leaf!, other.leaves[0]!] },
    // Another order would have it elsewhere.
    { seed: '8' },
  ]
  expect(verifyProof(inside, root)).toBe(700)
  for (const change of wrong)
    expect(() => verifyProof({ ...inside, ...change }, root), JSON.stringify(Object.keys(change))).toThrow(
      'the proof does not hold',
    )
  // A document that is in it cannot be proven absent by another leaf; one that is not cannot be put in.
  expect(() => verifyProof({ ...outside, document: ids[700]! }, root)).toThrow('a leaf that it does not show')
  expect(verifyProof({ ...inside, document: between, leaves: outside.leaves }, root)).toBeNull()
  const { manifest: next } = await emit(1, 3001)
  expect(() => verifyProof(inside, next.selectionRoot!)).toThrow('does not lead to the root')
})

test('a selection that is older than roots is refused by name, and a stream that is not what was decided is found out', async () => {
  const { selections, emit } = await open()
  const { manifest, ids } = await emit(0, 300)
  await expect(prove(selections, { ...manifest, selectionRoot: null }, seed, ids[0]!)).rejects.toThrow(
    'before manifests had roots',
  )
  await expect(prove(selections, { ...manifest, selectionRoot: 'a'.repeat(64) }, seed, ids[0]!)).rejects.toThrow(
    'does not have the root',
  )
})
