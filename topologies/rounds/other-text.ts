import type { OtherText, Progress } from '../../schemas/index.ts'
import { millionths } from '../selection/guard-fields.ts'
import type { OtherBound } from '../selection/other-bound.ts'

/** A loss on other text that a trainer has reported. */
export interface OtherLoss {
  readonly step: number
  readonly tokens: number
  /** On held-out documents of the corpus, nats per token. */
  readonly loss: number
}

/** The losses on other text among a trainer's reports. A step that is reported again, after a kill, has what was said last. */
export class OtherLosses {
  readonly #byStep = new Map<number, OtherLoss>()

  learn({ step, tokens, corpusLoss }: Pick<Progress, 'step' | 'tokens' | 'corpusLoss'>): void {
    if (corpusLoss !== null && Number.isFinite(corpusLoss)) this.#byStep.set(step, { step, tokens, loss: corpusLoss })
  }

  /** Steps ascending. */
  get all(): readonly OtherLoss[] {
    return [...this.#byStep.values()].sort((a, b) => a.step - b.step)
  }
}

/**
 * A selection shows in the loss a round late: a share that falls to 0 where the loss is low comes back as 1, round by round (docs/EXPERIMENTS.md).
 */
const fallDefault = 0.125

/**
 * What a round that opens says of the loss on other text, and the share of the natural mixture that follows from it: 0 up to a growth of `from`, all from
 * `bound` on, and evenly between them, but no less than the share before less `fall`. It looks at the last report that can be held against something.
 * @param own of the run, steps ascending
 * @param control of the run that it is held against, likewise; not looked at where there is none
 * @param before what the round before drew from the natural mixture
 */
export function otherTextOf(
  other: OtherBound,
  own: readonly OtherLoss[],
  control: readonly OtherLoss[],
  before: number,
): OtherText {
  const { bound, from = bound / 2, share = 0, fall = fallDefault } = other
  const least = before - fall
  for (const [i, { step, tokens, loss }] of [...own.entries()].reverse()) {
    const heldAgainst = heldAgainstAt(other, tokens, own.slice(0, i + 1), control)
    if (heldAgainst === undefined) continue
    const part = (loss - heldAgainst - from) / (bound - from)
    return { share: millionths(Math.min(1, Math.max(0, part, least))) / 1e6, step, loss, heldAgainst }
  }
  return { share: millionths(Math.max(share, least)) / 1e6, step: null, loss: null, heldAgainst: null }
}

function heldAgainstAt(
  { against }: OtherBound,
  tokens: number,
  own: readonly OtherLoss[],
  control: readonly OtherLoss[],
): number | undefined {
  if (typeof against === 'number') return against
  if (against !== undefined) return lossAfter(control, tokens)
  return own.reduce((lowest, { loss }) => Math.min(lowest, loss), Number.POSITIVE_INFINITY)
}

/** What a round draws from the natural mixture, and the losses that this comes from. */
export function otherTextInWords({ share, step, loss, heldAgainst }: OtherText): string {
  const drawn = `${Number((share * 100).toFixed(2))}% from the natural mixture`
  if (loss === null || heldAgainst === null) return `${drawn}: no loss on other text to hold against anything yet`
  const growth = loss - heldAgainst
  return `${drawn}: loss on other text ${loss.toFixed(3)} at step ${step}, ${growth < 0 ? '' : '+'}${growth.toFixed(3)} over ${heldAgainst.toFixed(3)}`
}

/** A round of a recorded run that drew from the natural mixture. */
export interface NaturalRound {
  readonly round: number
  /** Of the budget, above 0. */
  readonly naturalShare: number
}

/** What is said where rounds are selected again by other settings: nothing for rounds without a natural share. */
export function takenOverInWords(rounds: readonly NaturalRound[]): string[] {
  if (rounds.length === 0) return []
  const shares = rounds.map(({ naturalShare }) => Number((naturalShare * 100).toFixed(2)))
  const [least, most] = [Math.min(...shares), Math.max(...shares)]
  const range = least === most ? `${least}%` : `${least} to ${most}%`
  const drew = rounds.length === 1 ? `round ${rounds[0]!.round} draws` : `${rounds.length} rounds draw`
  return [
    `${drew} ${range} from the natural mixture, as the run recorded: nothing was trained here whose loss on other text could decide it`,
  ]
}

/** After as many tokens: linear between the reports before and after; undefined where there are none. @param reports tokens ascending */
export function lossAfter(reports: readonly Pick<OtherLoss, 'tokens' | 'loss'>[], tokens: number): number | undefined {
  const at = reports.findIndex((report) => report.tokens >= tokens)
  const [before, after] = [reports[at - 1], reports[at]]
  if (after === undefined || after.tokens === tokens) return after?.loss
  if (before === undefined) return undefined
  const share = (tokens - before.tokens) / (after.tokens - before.tokens)
  return before.loss + share * (after.loss - before.loss)
}
