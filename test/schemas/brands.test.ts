import { expect, test } from 'vitest'
import { asDocumentId, type Offset, type Partition } from '../../schemas/index.ts'
import { key } from '../../topologies/selection/draw.ts'
import { seedOf } from '../../topologies/selection/u64.ts'

// `npm run types` fails where one of these lines stops being an error.
test('document ids, seeds, offsets and partitions are not assignable to each other, and are plain values at run time', () => {
  const id = asDocumentId(3n)
  const seed = seedOf('s', 1, 'select')
  // @ts-expect-error a document id and a seed in each other's place
  const swapped = key(seed, id)
  // @ts-expect-error a plain bigint is no document id
  const plain = key(3n, seed)
  expect(plain).toBe(key(id, seed))
  expect(swapped).not.toBe(plain)

  const at = (partition: Partition, offset: Offset) => `[${partition}]@${offset}`
  const [partition, offset]: [Partition, Offset] = [1, 2]
  // @ts-expect-error a partition and an offset in each other's place
  expect(at(offset, partition)).toBe('[2]@1')
  expect(at(partition, offset + 1)).toBe('[1]@3')
})
