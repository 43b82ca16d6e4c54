import type { Progress } from '../../../schemas/index.ts'
import { lossAfter } from '../../../topologies/rounds/other-text.ts'
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
            reference: [referenceLoss, lossAt(b, tokens, 'referenceLoss')] as const,
            otherText: [corpusLoss, lossAt(b, tokens, 'corpusLoss')] as const,
          },
        ],
  )
}

/** Null where no evaluation is. */
const lossAt = (progress: readonly Evaluated[], tokens: number, loss: 'referenceLoss' | 'corpusLoss'): number | null =>
  lossAfter(
    progress.flatMap(({ [loss]: value, tokens }) => (value === null ? [] : [{ tokens, loss: value }])),
    tokens,
  ) ?? null
