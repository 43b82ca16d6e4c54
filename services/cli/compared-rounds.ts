import type { RoundOfTwo } from '../runs/compare/compare-runs.ts'
import { divergenceLines } from '../runs/compare/divergence-words.ts'
import type { Both } from '../runs/compare/overlap.ts'
import { formatFixed, percent, table } from '../terminal/table.ts'

const number = true

/**
 * Two runs side by side, for a terminal.
 * @param by what a run selects by, where that is not its actors: theta says nothing of it
 */
export function comparedInWords(
  rounds: readonly RoundOfTwo[],
  names: Both<string>,
  by: Both<string | null>,
  width: number | undefined,
): string {
  const parts = [overviewOf(rounds, names, by, width)]
  const diverged = rounds.find(({ divergence }) => divergence !== null)?.divergence
  if (diverged) {
    const [what, ...causes] = divergenceLines(diverged, names)
    parts.push(`First divergence, ${what}\n${causes.map((cause) => `  ${cause}`).join('\n')}`)
  }
  const last = rounds.at(-1)!
  parts.push(`Round ${last.round}, by subcategory:\n${subcategoriesOf(last, names, width)}`)
  const losses = rounds.flatMap((round) => round.losses)
  if (losses.length > 0) parts.push(`Losses at equal tokens, nats per token:\n${lossesOf(losses, names, width)}`)
  return `${parts.join('\n\n')}\n`
}

function overviewOf(
  rounds: readonly RoundOfTwo[],
  [a, b]: Both<string>,
  by: Both<string | null>,
  width: number | undefined,
): string {
  const columns = [
    { title: 'round', number },
    { title: 'in common', number },
    { title: 'Jaccard', number },
    { title: 'cells with none', number },
    { title: `theta of ${a}` },
    { title: `of ${b}` },
    { title: `reference loss of ${a}`, number },
    { title: `of ${b}`, number },
  ]
  const rows = rounds.map((one) => {
    const { round, same, overlap, referenceLoss } = one
    const { common, documents, jaccard, cells } = overlap
    const apart = cells.filter((cell) => cell.common === 0).length
    return [
      `${round}`,
      same
        ? 'all, same order'
        : `${common} of ${documents[0]} and ${documents[1]} (${percent(common / Math.max(1, documents[0]))})`,
      formatFixed(jaccard, 3),
      `${apart} of ${cells.length}`,
      ...by.map((named, side) => named ?? thetaOf(one, side as 0 | 1)),
      ...referenceLoss.map((loss) => formatFixed(loss, 4)),
    ]
  })
  return table(columns, rows, { width })
}

const thetaOf = ({ actors }: RoundOfTwo, side: 0 | 1): string =>
  actors
    .flatMap(({ actor, theta }) => (theta[side] === null ? [] : [`${actor} ${formatFixed(theta[side], 3)}`]))
    .join(' ')

function subcategoriesOf({ actors, tokens }: RoundOfTwo, [a, b]: Both<string>, width: number | undefined): string {
  const columns = [
    { title: 'actor' },
    { title: 'subcategory' },
    { title: `weight of ${a}`, number },
    { title: `of ${b}`, number },
    { title: `tokens of ${a}`, number },
    { title: `of ${b}`, number },
  ]
  const rows = actors.flatMap(({ actor, subcategories }) =>
    subcategories.map(({ subcategory, weights, tokens: own }, j) => [
      j === 0 ? actor : '',
      subcategory,
      ...weights.map((weight) => formatFixed(weight, 4)),
      ...(own === null
        ? ['–', '–']
        : own.map((count, side) => `${count} (${percent(count / Math.max(1, tokens[side]!))})`)),
    ]),
  )
  return table(columns, rows, { width })
}

function lossesOf(losses: RoundOfTwo['losses'], [a, b]: Both<string>, width: number | undefined): string {
  const columns = [
    { title: 'tokens', number },
    { title: `reference: ${a}`, number },
    { title: b, number },
    { title: `other text: ${a}`, number },
    { title: b, number },
  ]
  const rows = losses.map(({ tokens, reference, otherText }) => [
    `${tokens}`,
    ...[...reference, ...otherText].map((loss) => formatFixed(loss, 4)),
  ])
  return table(columns, rows, { width })
}
