export type TokenIds = ArrayLike<number>

/**
 * Token ids and the weight of each as a target. A sequence of n ids has n - 1 targets; mask[0] has no meaning.
 */
export interface Sequence {
  ids: Int32Array
  mask: Float32Array
}

/**
 * A document as training sees it, cut into windows: `end` (of the previous document), its tokens, `end`; at least one window. A window has at
 * most `context` targets. The first `overlap` tokens of every later window repeat the end of the window before, as context with weight 0:
 * every token is a target once, and after the first window with at least `overlap` tokens before it.
 */
export function documentWindows(tokens: TokenIds, context: number, windows: number, overlap = 0, end = 0): Sequence[] {
  const lengthMax = (windows - 1) * (context - overlap) + context + 1
  const stream = new Int32Array(Math.min(tokens.length + 2, lengthMax))
  stream[0] = end
  for (let i = 0; i + 1 < stream.length; i++) stream[i + 1] = i < tokens.length ? tokens[i]! : end
  return streamWindows(stream, context, windows, overlap)
}

/** Token ids cut into at most `limit` windows, as `documentWindows` does it, without an `end`: every id but the first is a target once. */
export function streamWindows(stream: Int32Array, context: number, limit: number, overlap = 0): Sequence[] {
  const stride = context - overlap
  const result: Sequence[] = []
  for (let from = 0; result.length < limit && (from === 0 || from + overlap + 1 < stream.length); from += stride) {
    const ids = stream.slice(from, from + context + 1)
    const mask = new Float32Array(ids.length).fill(1)
    if (from > 0) mask.fill(0, 0, overlap + 1)
    result.push({ ids, mask })
  }
  return result
}

/**
 * A reference sample: `end` (of what came before), the task's context, its continuation; truncated to the last `context` + 1 tokens. All
 * tokens are targets, or only those of the continuation.
 */
export function referenceSequence(
  prompt: TokenIds,
  continuation: TokenIds,
  context: number,
  targets: 'all' | 'continuation' = 'all',
  end = 0,
): Sequence {
  const all = Int32Array.from([end, ...Array.from(prompt), ...Array.from(continuation)])
  const ids = all.slice(-(context + 1))
  const mask = new Float32Array(ids.length).fill(1)
  if (targets === 'continuation') mask.fill(0, 0, Math.max(0, ids.length - continuation.length))
  return { ids, mask }
}

/** The weight of all targets of a sequence. */
export function targetsOf({ mask }: Sequence): number {
  let sum = 0
  for (let i = 1; i < mask.length; i++) sum += mask[i]!
  return sum
}
