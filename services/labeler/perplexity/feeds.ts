import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { Sequence } from '../../model/sequences.ts'

const cachePrefix = 'past_key_values.'

type Metadata = InferenceSession['inputMetadata'][number]

/** Inputs that a causal model does not have; of a cache only one in float32 can be given, an empty one. */
export const strangers = ({ inputMetadata }: InferenceSession): string[] =>
  inputMetadata
    .filter((input) => {
      if (['input_ids', 'attention_mask', 'position_ids', 'use_cache_branch'].includes(input.name)) return false
      return !(input.name.startsWith(cachePrefix) && input.isTensor && input.type === 'float32')
    })
    .map(({ name }) => name)

/** Windows as inputs [windows, length of the longest], padded on the right, with an empty cache where the model has one. */
export function feedsOf(session: InferenceSession, windows: readonly Sequence[]): Record<string, Tensor> {
  const longest = windows.reduce((most, { ids }) => Math.max(most, ids.length), 0)
  const dims = [windows.length, longest]
  const ids = new BigInt64Array(windows.length * longest)
  const mask = new BigInt64Array(ids.length)
  for (const [row, window] of windows.entries()) {
    ids.set(BigInt64Array.from(window.ids, BigInt), row * longest)
    mask.fill(1n, row * longest, row * longest + window.ids.length)
  }
  const known: Record<string, () => Tensor> = {
    input_ids: () => new Tensor('int64', ids, dims),
    attention_mask: () => new Tensor('int64', mask, dims),
    position_ids: () =>
      new Tensor(
        'int64',
        BigInt64Array.from(ids, (_, i) => BigInt(i % longest)),
        dims,
      ),
    use_cache_branch: () => new Tensor('bool', Uint8Array.of(0), [1]),
  }
  return Object.fromEntries(
    session.inputMetadata.map((input) => [input.name, known[input.name]?.() ?? emptyCache(input, windows.length)]),
  )
}

/** [batch, heads, 0, size]: the first free dimension is the batch, a later one the length of the cache. */
function emptyCache(input: Metadata, batch: number): Tensor {
  const shape = input.isTensor ? input.shape : []
  const dims = shape.map((size, i) => (typeof size === 'number' ? size : i === 0 ? batch : 0))
  return new Tensor('float32', new Float32Array(0), dims)
}
