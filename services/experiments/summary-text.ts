import type { PairedMean } from '../../topologies/experiment/paired.ts'
import { formatFixed, formatFlops, table } from '../terminal/table.ts'
import type { ExperimentSummary, SummaryRow, SummaryTable } from './summary.ts'

const columns = [
  { title: 'strategy' },
  { title: 'seeds', number: true },
  { title: 'loss', number: true },
  { title: 'against', number: true },
  { title: '95% interval', whole: true },
  { title: 'tokens', number: true },
  { title: 'other text', number: true },
  { title: '95% interval', whole: true },
  { title: 'FLOPs', number: true },
  { title: 'overhead', number: true },
  { title: 'at equal FLOPs', number: true },
  { title: '95% interval', whole: true },
] as const

export const headOf = ({ baseline }: SummaryTable): string[] =>
  columns.map(({ title }) => (title === 'against' ? `against ${baseline}` : title))

const signed = (value: number | undefined, digits: number): string =>
  value === undefined ? '–' : `${value < 0 ? '' : '+'}${value.toFixed(digits)}`

const interval = (of: PairedMean | null): string =>
  of?.low == null ? '–' : `${signed(of.low, 3)} to ${signed(of.high!, 3)}`

/** The share of tokens, and in how many of the pairs the baseline's loss was reached, if not in all. */
function shareOf({ share, gain }: SummaryRow): string {
  if (share === null) return gain === null ? '–' : 'not reached'
  const some = share.n < (gain?.n ?? 0) ? ` (${share.n} of ${gain!.n})` : ''
  return `${formatFixed(100 * share.mean, 0)}%${some}`
}

/** The cells of a row, in the order of `headOf`. */
export const cellsOfRow = (row: SummaryRow): string[] => [
  row.strategy,
  row.seeds === row.seedsPlanned ? `${row.seeds}` : `${row.seeds} of ${row.seedsPlanned}`,
  formatFixed(row.referenceLoss, 3),
  signed(row.gain?.mean, 3),
  interval(row.gain),
  shareOf(row),
  signed(row.price?.mean, 3),
  interval(row.price),
  formatFlops(row.trainingFlops + row.selectingFlops),
  `${formatFixed(row.overhead, 1)}%`,
  signed(row.gainAtFlops?.mean, 3),
  interval(row.gainAtFlops),
]

/** By loss: the best first. */
export const ranked = (rows: readonly SummaryRow[]): SummaryRow[] =>
  [...rows].sort((a, b) => a.referenceLoss - b.referenceLoss)

export const captionOf = ({ reference, budget, rows, baseline }: SummaryTable): string => {
  const tokens = rows.find(({ strategy }) => strategy === baseline)?.tokens
  return `reference ${reference}, ${budget} steps${tokens === undefined ? '' : ` (${tokens} tokens)`}`
}

/** Of strategies that bound the loss on other text, how much it came to at most. */
export const boundsInWords = ({ rows, baseline }: SummaryTable): string[] =>
  ranked(rows).flatMap(({ strategy, natural, priceMost }) =>
    natural === null || priceMost === null
      ? []
      : [
          `${strategy}: ${formatFixed(natural * 100, 0)}% from the natural mixture; other text at most ${signed(priceMost, 3)} over ${baseline} at any evaluation of any seed`,
        ],
  )

/** What the columns mean, for terminal and page. */
export const legend = (baseline: string): string[] => [
  `loss: on held-out samples of the reference, nats per token, mean over the seeds. against ${baseline}: less that of ${baseline} with the same seed, mean of the pairs, with the interval of Student's t; below zero is better.`,
  `tokens: share of ${baseline}'s tokens after which its last loss was reached. other text: the same difference on held-out documents of the corpus, the price.`,
  `FLOPs: of training and of selecting (labels, rewards, their reference), by the ledger, without evaluation; overhead: selecting in percent of training. at equal FLOPs: less the loss of ${baseline} trained for as many FLOPs in all, between its lengths; –: it was not trained for so many.`,
]

export function summaryText({ cells, finished, tables }: ExperimentSummary, width?: number): string {
  const parts = tables.map((one) => {
    const head = headOf(one)
    const shown = columns.map((column, i) => ({ ...column, title: head[i]! }))
    const bounded = boundsInWords(one).map((line) => `${line}\n`)
    return `${captionOf(one)}\n${table(shown, ranked(one.rows).map(cellsOfRow), { width })}\n${bounded.join('')}`
  })
  const baseline = tables[0]?.baseline
  const explained = baseline === undefined ? [] : legend(baseline)
  return [...parts, ...explained, `${finished} of ${cells} cells are finished.`, ''].join('\n')
}
