import { describe, expect, it } from 'vitest'
import { type PackedBatch, type PackOptions, packBatches } from '../../../services/trainer/packer.ts'

async function pack(documents: readonly number[][], options: PackOptions): Promise<PackedBatch[]> {
  const batches: PackedBatch[] = []
  for await (const batch of packBatches(documents, options)) batches.push(batch)
  return batches
}

describe('the batch packer', () => {
  it('concatenates documents, each followed by end-of-text, and cuts rows that share a border token', async () => {
    const batches = await pack([[1, 2, 3], [4], [], [5, 6, 7, 8, 9]], { batch: 2, context: 3 })
    // Stream: 1 2 3 0 4 0 0 5 6 7 8 9 0
    expect(batches.map(({ ids }) => [...ids])).toEqual([
      [1, 2, 3, 0, /**/ 0, 4, 0, 0],
      [0, 5, 6, 7, /**/ 7, 8, 9, 0],
    ])
  })

  it('ends documents with the model’s end-of-text token', async () => {
    const [batch] = await pack([[1], [2, 3]], { batch: 1, context: 4, end: 9 })
    expect([...batch!.ids]).toEqual([1, 9, 2, 3, 9])
  })

  it('reports with every batch how many documents were begun and how many were passed', async () => {
    const batches = await pack([[1, 2, 3], [4], [], [5, 6, 7, 8, 9]], { batch: 1, context: 3 })
    // Targets end at: 0 (end of document 0), 0 (end of document 2), 7 (inside document 3), 0 (end of document 3)
    expect(batches.map(({ documentsRead, documentsPassed }) => [documentsRead, documentsPassed])).toEqual([
      [1, 1],
      [3, 3],
      [4, 3],
      [4, 4],
    ])
  })

  it('resumes from any position as if it had never stopped', async () => {
    const documents = Array.from({ length: 40 }, (_, i) =>
      Array.from({ length: (i * 7) % 23 }, (_, j) => 1 + i * 31 + j),
    )
    const options = { batch: 2, context: 5 }
    const whole = await pack(documents, options)
    expect(whole.length).toBeGreaterThan(30)
    for (const [k, { position }] of whole.entries()) {
      const rest = await pack(documents.slice(position.document), { ...options, from: position })
      expect(rest, `after batch ${k}`).toEqual(whole.slice(k + 1))
    }
  })

  it('takes only as many documents as its batches need', async () => {
    let fetched = 0
    async function* endless() {
      for (;;) {
        fetched++
        yield [1, 2, 3]
      }
    }
    const batches = packBatches(endless(), { batch: 1, context: 8 })
    await batches.next()
    expect(fetched).toBe(3)
    await batches.next()
    expect(fetched).toBe(5)
    await batches.return()
  })
})
