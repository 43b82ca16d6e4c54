import { endOfText } from './tokenizer.ts'

export type TokenIds = ArrayLike<number>

/**
 * Token ids and the weight of each as a target. A sequence of n ids has n - 1 targets; mask[0] has no meaning.
 */
export interface Sequence {
  ids: Int32Array
  mask: Float32Array
}

/**
 * A document as training meets it, cut into windows: <|endoftext|> (the end of the one before), its tokens, <|endoftext|>.
 * Window w predicts tokens w * context + 1 to (w + 1) * context of that stream; at least one window.
 */
export function documentWindows(tokens: TokenIds, context: number, windows: number): Sequence[] {
  const lengthMax = windows * context + 1
  const stream = new Int32Array(Math.min(tokens.length + 2, lengthMax))
  stream[0] = endOfText
  for (let i = 0; i + 1 < stream.length; i++) stream[i + 1] = i < tokens.length ? tokens[i]! : endOfText
  const result: Sequence[] = []
  for (let from = 0; from + 1 < stream.length; from += context) {
    const ids = stream.slice(from, from + context + 1)
    result.push({ ids, mask: new Float32Array(ids.length).fill(1) })
  }
  return result
}

/**
 * A reference sample: <|endoftext|>, the task's context, its continuation; the last `context` + 1 tokens of it. All tokens are
 * targets, or those of the continuation alone.
 */
export function referenceSequence(
  prompt: TokenIds,
  continuation: TokenIds,
  context: number,
  targets: 'all' | 'continuation' = 'all',
): Sequence {
  const all = Int32Array.from([endOfText, ...Array.from(prompt), ...Array.from(continuation)])
  const ids = all.slice(-(context + 1))
  const mask = new Float32Array(ids.length).fill(1)
  if (targets === 'continuation') mask.fill(0, 0, Math.max(0, ids.length - continuation.length))
  return { ids, mask }
}

/** The sequence with padding at the right that nothing looks at, where the graph needs more tokens. */
export function padded(sequence: Sequence, lengthMin: number): Sequence {
  if (sequence.ids.length >= lengthMin) return sequence
  const ids = new Int32Array(lengthMin)
  const mask = new Float32Array(lengthMin)
  ids.set(sequence.ids)
  mask.set(sequence.mask)
  return { ids, mask }
}
