import type { Sequence } from '../../model/sequences.ts'

/**
 * The negative log-likelihood, in nats, of a sequence's targets under its logits [length, vocabulary], row-major: those at i are of the token
 * at i + 1. In float64, with the largest logit taken out.
 */
export function nllOf(logits: Float32Array, vocabulary: number, { ids, mask }: Sequence): number {
  let nll = 0
  for (let i = 0; i + 1 < ids.length; i++) {
    if (mask[i + 1] === 0) continue
    const from = i * vocabulary
    let most = Number.NEGATIVE_INFINITY
    for (let k = from; k < from + vocabulary; k++) if (logits[k]! > most) most = logits[k]!
    let sum = 0
    for (let k = from; k < from + vocabulary; k++) sum += Math.exp(logits[k]! - most)
    nll += Math.log(sum) + most - logits[from + ids[i + 1]!]!
  }
  return nll
}
