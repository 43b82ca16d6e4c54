import { escaped } from '../runtime/escaped.ts'
import { formatFixed } from '../terminal/table.ts'
import type { SummaryRow, SummaryTable } from './summary.ts'

const colours = ['#136f60', '#d1495b', '#3066be', '#b07d12', '#7a4ea3', '#2f855a', '#a23b72', '#5c6660'] as const
export const colourOf = (at: number): string => colours[at % colours.length]!
/** Colours repeat; dashes tell strategies of one colour apart. */
const dashesOf = (at: number): string => ['', '6 3', '2 3', '9 3 2 3'][Math.floor(at / colours.length) % 4]!

const tick = (x1: number, x2: number, y: number, label: string): string =>
  `<line class="axis" x1="${x1}" x2="${x2}" y1="${y.toFixed(1)}" y2="${y.toFixed(1)}"/><text x="${x1 - 8}" y="${(y + 4).toFixed(1)}" text-anchor="end">${label}</text>`

/** Mean reference losses over tokens, one line a strategy, named at their ends where there is room. */
export function lossCurves({ curves, baseline }: SummaryTable): string {
  const size = { width: 860, height: 380, left: 56, right: 190, top: 14, bottom: 36 }
  // The first evaluation is before any training, and would flatten the rest.
  const shown = curves.map((one) => ({ ...one, points: one.points.slice(one.points.length > 2 ? 1 : 0) }))
  const all = shown.flatMap(({ points }) => points)
  const [low, high] = [Math.min(...all.map((p) => p.referenceLoss)), Math.max(...all.map((p) => p.referenceLoss))]
  const tokensMax = Math.max(1, ...all.map(({ tokens }) => tokens))
  const x = (tokens: number) => size.left + (tokens / tokensMax) * (size.width - size.left - size.right)
  const y = (loss: number) => size.top + ((high - loss) / (high - low || 1)) * (size.height - size.top - size.bottom)
  const ends = placed(shown.map(({ points }) => y(points.at(-1)!.referenceLoss)))
  const lines = shown.map(({ strategy, points }, i) => {
    const path = points.map((p) => `${x(p.tokens).toFixed(1)} ${y(p.referenceLoss).toFixed(1)}`).join('L')
    const style = `style="stroke:${colourOf(i)};stroke-dasharray:${dashesOf(i)}${strategy === baseline ? ';stroke-width:3.5' : ''}"`
    const end = points.at(-1)!
    return `<path ${style} d="M${path}"><title>${escaped(strategy)}</title></path><text x="${size.width - size.right + 12}" y="${(ends[i]! + 4).toFixed(1)}" style="fill:${colourOf(i)}">${escaped(strategy)} ${formatFixed(end.referenceLoss, 3)}</text>`
  })
  const ticks = [low, (low + high) / 2, high].map((loss) =>
    tick(size.left, size.width - size.right, y(loss), formatFixed(loss, 2)),
  )
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="Reference loss over tokens">
${ticks.join('\n')}
${lines.join('\n')}
<text x="${size.left}" y="${size.height - 10}">0</text><text x="${size.width - size.right}" y="${size.height - 10}" text-anchor="end">${tokensMax} tokens</text>
</svg>`
}

/** Heights of labels, moved apart so that none covers another; in the order given. */
function placed(heights: readonly number[]): number[] {
  const apart = 15
  const order = [...heights.keys()].sort((a, b) => heights[a]! - heights[b]!)
  const at = [...heights]
  for (const [i, own] of order.entries()) if (i > 0) at[own] = Math.max(at[own]!, at[order[i - 1]!]! + apart)
  const bottom = Math.max(...heights)
  const over = Math.max(0, at[order.at(-1)!]! - bottom - apart)
  return at.map((one) => one - over)
}

/** Gains and prices as points with their intervals, the baseline at zero. */
export function intervals(rows: readonly SummaryRow[], baseline: string): string {
  const known = rows.filter(({ gain }) => gain !== null)
  const size = { width: 860, row: 26, left: 190, gap: 40, top: 30 }
  const half = (size.width - size.left - size.gap) / 2
  const panel = (title: string, of: (row: SummaryRow) => SummaryRow['gain'], left: number): string => {
    const values = known.flatMap((row) => [of(row)!.mean, of(row)!.low ?? 0, of(row)!.high ?? 0])
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)]
    const x = (value: number) => left + 10 + ((value - low) / (high - low || 1)) * (half - 20)
    const marks = known.map((row, i) => {
      const { mean, low: from, high: to } = of(row)!
      const at = size.top + (i + 0.5) * size.row
      const colour = mean < 0 ? 'good' : 'bad'
      const range =
        from === null
          ? ''
          : `<line class="${colour}" x1="${x(from).toFixed(1)}" x2="${x(to!).toFixed(1)}" y1="${at}" y2="${at}"/>`
      return `${range}<circle class="${colour}" cx="${x(mean).toFixed(1)}" cy="${at}" r="4"><title>${formatFixed(mean, 3)}</title></circle>`
    })
    const bottom = size.top + known.length * size.row
    return `<line class="axis" x1="${x(0).toFixed(1)}" x2="${x(0).toFixed(1)}" y1="${size.top}" y2="${bottom}"/>
<text x="${left + half / 2}" y="16" text-anchor="middle">${escaped(title)}</text>
<text x="${x(low).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${formatFixed(low, 2)}</text><text x="${x(high).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${formatFixed(high, 2)}</text>
${marks.join('\n')}`
  }
  const names = known.map(
    ({ strategy }, i) =>
      `<text x="${size.left - 12}" y="${size.top + (i + 0.5) * size.row + 4}" text-anchor="end">${escaped(strategy)}</text>`,
  )
  return `<svg viewBox="0 0 ${size.width} ${size.top + known.length * size.row + 24}" role="img" aria-label="Differences from ${escaped(baseline)} with 95% intervals">
${names.join('\n')}
${panel(`reference loss against ${baseline}`, ({ gain }) => gain, size.left)}
${panel('loss on other text', ({ price }) => price, size.left + half + size.gap)}
</svg>`
}
