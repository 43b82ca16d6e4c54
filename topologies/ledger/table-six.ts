import type { WorkPurpose } from '../../schemas/index.ts'
import { Ledger, type LedgerRow, type LedgerTotals, totalsOf } from './ledger.ts'
import { forward, forwardAndBackward, type ModelCost, workOn } from './pieces.ts'

/** Work of a method as the paper has it, or as its text implies it. */
export interface PaperWork {
  readonly purpose: WorkPurpose
  /** Whether it is done in the rounds of a training. */
  readonly online?: boolean
  readonly what: string
  readonly model: string
  readonly parameters: number
  readonly tokens: number
  readonly factor: number
  /** Further FLOPs. */
  readonly more?: number
  /** Where its numbers come from. */
  readonly source: string
}

export interface PaperMethod {
  readonly method: string
  /** Table 6 of the paper, in FLOPs; null: N.A. */
  readonly printed: { readonly offline: number | null; readonly online: number | null; readonly overall: number }
  readonly work: readonly PaperWork[]
  /** What Table 6 does not count. */
  readonly leftOut: readonly PaperWork[]
  /** Likewise, but nobody says how much it was. */
  readonly unknown: readonly string[]
}

const encoder = 109e6
/** 590 million documents of SlimPajama, of which an encoder of 512 tokens reads 385 on average. */
const tokensRead = 590e6 * 385
const trained = 1.3e9
/** Sheared-LLaMA-1.3B and the models of section 4, counted. */
const trainedExactly = 1.345e9
const contextTokens = 1024
/** Three actors, 10,000 samples each (A.9: eight slices of 1,250), and five rounds. */
const samples = 3 * 10_000 * 5
const referenceSamples = 500 * 5
/** TinyLlama-1M: 1.31 million parameters in its layers, and 12.9 million in the output layer. */
const proxy = 14.2e6

const influence: PaperWork = {
  purpose: 'rewards',
  what: 'gradients of samples',
  model: 'the 1.3B model in training',
  parameters: trained,
  tokens: samples * contextTokens,
  factor: forwardAndBackward,
  source: 'A.5.2, A.9: 3 actors, 10,000 samples of 1,024 tokens, 5 rounds',
}
const projections: PaperWork = {
  ...{ purpose: 'reference', what: 'dense projection of those gradients to 8,192 values', model: influence.model },
  ...{ parameters: trained, tokens: 0, factor: forward, more: forward * trained * 8192 * samples },
  source: 'A.9: 2 * 1.3e9 * 8,192 a sample',
}
const reference: PaperWork = {
  ...{ purpose: 'reference', what: 'gradients of reference samples', model: influence.model, parameters: trained },
  ...{ tokens: referenceSamples * contextTokens, factor: forwardAndBackward },
  source: 'A.9: 500 samples, at each round',
}
const training: PaperWork = {
  ...{ purpose: 'training', what: 'the training itself', model: influence.model, parameters: trainedExactly },
  ...{ tokens: 30e9, factor: forwardAndBackward },
  source: 'section 4.1: 30 billion tokens',
}
const label = (what: string, online: boolean, source: string): PaperWork => ({
  ...{ purpose: 'labels', online, what, model: 'BERT-like encoder', parameters: encoder, tokens: tokensRead },
  ...{ factor: forward, source },
})
const encoderPass = 'A.5.1: 109 million parameters; 590 million documents of 385 tokens read (512 at most)'

/** Table 6 of the paper (A.5), each row from the paper's numbers, or from those that its text leads to (docs/ledger.md). */
export const tableSix: readonly PaperMethod[] = [
  {
    method: 'QuRating',
    printed: { offline: 7.13e20, online: null, overall: 7.13e20 },
    work: [
      {
        ...{ purpose: 'labels', what: 'four ratings of each document', model: 'Sheared-LLaMA-1.3B', factor: forward },
        ...{ parameters: trainedExactly, tokens: 265e9 },
        source: "A.5.1: 1.3B parameters; 265 billion tokens are QuRating's own corpus, not SlimPajama's 627 billion",
      },
    ],
    leftOut: [
      {
        ...{ purpose: 'labels', what: 'the rest of SlimPajama', model: 'Sheared-LLaMA-1.3B', factor: forward },
        ...{ parameters: trainedExactly, tokens: (627 - 265) * 1e9 },
        source: 'Figure 1: 627 billion tokens',
      },
      training,
    ],
    unknown: ["GPT-3.5's judgments of pairs", 'fitting the rater on them'],
  },
  {
    method: 'MATES',
    printed: { offline: null, online: 1.99e20, overall: 1.99e20 },
    work: [
      ...[1, 2, 3, 4].map((stage) => label(`predictions for the corpus, stage ${stage}`, true, encoderPass)),
      influence,
    ],
    leftOut: [training],
    unknown: ['a pass over the reference for each probe', 'fitting the influence model at each stage'],
  },
  {
    method: 'Multi-actor collaboration',
    printed: { offline: 9.91e19, online: 1.19e18, overall: 1.0e20 },
    work: [
      label('quality of the corpus', false, encoderPass),
      label('topics of the corpus', false, encoderPass),
      influence,
    ],
    leftOut: [
      {
        ...{
          purpose: 'proxies',
          what: 'RegMix proxies for initial weights: 3 actors, 512 each',
          model: 'TinyLlama-1M',
        },
        ...{ parameters: proxy, tokens: 3 * 512 * 1.05e9, factor: forwardAndBackward },
        source: 'A.7.3: 1 billion tokens each (1,000 steps of 512 * 2,048); output layer included, 1.3e19 without',
      },
      {
        ...{
          purpose: 'fits',
          what: 'the topic classifier, each epoch',
          model: 'BERT-like encoder',
          parameters: encoder,
        },
        ...{ tokens: 500_000 * 385, factor: forwardAndBackward },
        source: 'A.7.3: 500,000 annotated samples',
      },
      projections,
      reference,
      training,
    ],
    unknown: ["GPT-4o's annotation of 500,000 samples", 'the regressions on the proxies'],
  },
]

/** The rows of a ledger that has just this work. */
export function rowsOf(work: readonly PaperWork[]): LedgerRow[] {
  const ledger = new Ledger()
  for (const [i, { purpose, online, what, tokens, more = 0, ...one }] of work.entries()) {
    const cost: ModelCost = { ...one, device: 'the paper', parametersAll: one.parameters, flopsPerDocument: more }
    const kind = { run: online ? 'a run' : null, purpose, subject: what, stream: `${i}`, partition: 0 }
    for (const piece of workOn(kind, cost, [{ at: 0, tokens }], 1, 0)) ledger.apply(piece)
  }
  return ledger.rows()
}

/** A row of Table 6 as computed here. */
export const totalsOfPaper = ({ work }: PaperMethod): LedgerTotals => totalsOf(rowsOf(work), 'flopsTableSix')

/** FLOPs that Table 6 leaves out of a method's row, without the training, which it leaves out of all of them. */
export const leftOutOfPaper = ({ leftOut }: PaperMethod): number =>
  rowsOf(leftOut).reduce((sum, { phase, flops }) => sum + (phase === 'training' ? 0 : flops), 0)
