import { escaped } from '../../services/runtime/escaped.ts'
import { formatFixed } from '../../services/terminal/table.ts'
import type { LossRow, Summary } from './summary.ts'

const size = { width: 690, height: 260, left: 48, right: 200, top: 12, bottom: 34 }

/** Reference losses of run and control over tokens, as an SVG that needs nothing from outside. */
export function losslines({ run, control, losses }: Pick<Summary, 'run' | 'control' | 'losses'>): string {
  const values = losses.flatMap((row) => [row.reference, row.referenceControl]).filter((one) => one !== null)
  const [low, high, last] = [
    Math.min(...values),
    Math.max(...values),
    Math.max(1, ...losses.map(({ tokens }) => tokens)),
  ]
  const x = (tokens: number) => size.left + (tokens / last) * (size.width - size.left - size.right)
  const y = (loss: number) => size.top + ((high - loss) / (high - low || 1)) * (size.height - size.top - size.bottom)
  const line = (kind: 'run' | 'control', name: string, of: (row: LossRow) => number | null) => {
    const known = losses.flatMap((row) => {
      const loss = of(row)
      return loss === null ? [] : [{ x: x(row.tokens), y: y(loss) }]
    })
    const end = known.at(-1)
    if (end === undefined) return ''
    const path = known.map((point) => `${point.x.toFixed(1)} ${point.y.toFixed(1)}`).join('L')
    return `<path class="${kind}" d="M${path}"/><text class="name ${kind}" x="${(end.x + 8).toFixed(1)}" y="${(end.y + 4).toFixed(1)}">${escaped(name)}</text>`
  }
  const ticks = [low, (low + high) / 2, high].map(
    (
      loss,
    ) => `<line class="axis" x1="${size.left}" x2="${size.width - size.right}" y1="${y(loss).toFixed(1)}" y2="${y(loss).toFixed(1)}"/>
<text x="${size.left - 8}" y="${(y(loss) + 4).toFixed(1)}" text-anchor="end">${formatFixed(loss, 2)}</text>`,
  )
  return `<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="Reference loss over tokens">
${ticks.join('\n')}
${line('control', control, ({ referenceControl }) => referenceControl)}
${line('run', run, ({ reference }) => reference)}
<text x="${size.left}" y="${size.height - 10}">0</text><text x="${size.width - size.right}" y="${size.height - 10}" text-anchor="end">${last} tokens</text>
</svg>`
}
