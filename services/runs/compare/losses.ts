import type { Progress } from '../../../schemas/index.ts'
import type { Both } from './overlap.ts'

/** Losses of two runs after as many tokens, nats per token. */
export interface LossesAt {
  readonly tokens: number
  /** Step of the first run, which was evaluated there. */
  readonly step: number
  /** On the held-out part of the reference; of the second run interpolated between its evaluations, null beyond them. */
  readonly reference: Both<number | null>
  /** On held-out documents of the corpus; likewise. */
  readonly otherText: Both<number | null>
}

type Evaluated = Pick<Progress, 'step' | 'tokens' | 'referenceLoss' | 'corpusLoss'>

/** At each evaluation of the first run, the losses of both. @param a reports, steps ascending; @param b likewise */
export function lossesAtEqualTokens(a: readonly Evaluated[], b: readonly Evaluated[]): LossesAt[] {
  return a.flatMap(({ step, tokens, referenceLoss, corpusLoss }) =>
    referenceLoss === null
      ? []
      : [
          {
            ...{ tokens, step },
            reference: [referenceLoss, lossAfter(b, tokens, 'referenceLoss')] as const,
            otherText: [corpusLoss, lossAfter(b, tokens, 'corpusLoss')] as const,
          },
        ],
  )
}

/** Linear between the evaluations before and after; null where there are none. */
function lossAfter(
  progress: readonly Evaluated[],
  tokens: number,
  loss: 'referenceLoss' | 'corpusLoss',
): number | null {
  const known = progress.filter((report) => report[loss] !== null)
  const at = known.findIndex((report) => report.tokens >= tokens)
  const [before, after] = [known[at - 1], known[at]]
  if (after === undefined) return null
  if (after.tokens === tokens) return after[loss]
  if (before === undefined) return null
  const share = (tokens - before.tokens) / (after.tokens - before.tokens)
  return before[loss]! + share * (after[loss]! - before[loss]!)
}
