import type { Explanation } from '../../topologies/explain.ts'
import type { ExplainedRound } from '../runs/explain-round.ts'
import { formatFixed, table } from '../terminal/table.ts'

/** The rewards behind a document's weights, and what would have turned the verdict, for a terminal. */
export function detailsInWords(
  { sources, flips, rewardTransform }: ExplainedRound,
  { verdict }: Explanation,
  width: number | undefined,
): string {
  const number = true
  const titles = ['theta', 'weight', 'before', 'eta', 'rewards', 'mean', 'spread', 'least', 'most']
  const columns = [
    { title: 'actor' },
    { title: 'subcategory' },
    ...titles.map((title) => ({ title, number })),
    { title: 'at offsets' },
  ]
  const rows = sources.map(({ actor, subcategory, theta, weight, before, eta, rewards }) => [
    actor,
    subcategory,
    ...[theta, weight, before].map((value) => formatFixed(value, 4)),
    `${eta}`,
    `${rewards.count}`,
    ...[rewards.mean, rewards.deviation, rewards.least, rewards.most].map((value) => formatFixed(value, 4)),
    rewards.offsets.map(({ partition, first, last }) => `[${partition}]@${first}-${last}`).join(' ') || '–',
  ])
  return `${table(columns, rows, { width })}\n${flipsInWords(flips, verdict, rewardTransform)}`
}

function flipsInWords(
  { labels, weights, rewards }: ExplainedRound['flips'],
  verdict: Explanation['verdict'],
  transform: string,
): string {
  const lines = [
    ...labels.map(({ actor, subcategories }) => `  ${actor} ${subcategories.join(' or ')}`),
    ...weights.map(
      ({ actor, weight, by }) =>
        `  a weight of ${weight.toPrecision(4)} by ${actor} (${by < 0 ? 'lower' : 'higher'} by ${Math.abs(by).toPrecision(4)})`,
    ),
    ...rewards.map(({ actor, by }) => {
      const unit = transform === 'identity' ? '' : `, after the transform ${transform}`
      return `  one reward of its subcategory by ${actor} ${by < 0 ? 'lower' : 'higher'} by ${Math.abs(by).toPrecision(4)}${unit}`
    }),
  ]
  if (lines.length === 0) return ''
  const verb = verdict === 'selected' ? 'left out' : 'selected'
  return `\nIt would have been ${verb} with any one of these, theta and threshold as they were (beyond a bound, not at it; the smallest change of a weight and of a reward first):\n${lines.join('\n')}\n`
}
