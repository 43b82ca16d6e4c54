import { type ScaleLinear, scaleLinear } from 'd3-scale'
import { escaped } from '../../runtime/escaped.ts'

/** A scatter plot of points, (x, y) each, as a self-contained SVG document. */
export interface Scatter {
  readonly title: string
  readonly x: string
  readonly y: string
  /** Shown when the pointer rests on the point. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly name: string }[]
}

const width = 720
const height = 520
const [left, right, top, bottom] = [84, width - 24, 48, height - 60]
const ticksWanted = 6

export function scatterSvg({ title, x, y, points }: Scatter): string {
  const horizontal = axis(
    points.map((point) => point.x),
    [left, right],
  )
  const vertical = axis(
    points.map((point) => point.y),
    [bottom, top],
  )
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${width / 2}" y="28" text-anchor="middle" font-size="16">${escaped(title)}</text>`,
  ]
  for (const { at, label, colour } of ticksOf(horizontal))
    lines.push(
      `<line x1="${at}" y1="${top}" x2="${at}" y2="${bottom}" stroke="${colour}"/>`,
      `<text x="${at}" y="${bottom + 20}" text-anchor="middle">${label}</text>`,
    )
  for (const { at, label, colour } of ticksOf(vertical))
    lines.push(
      `<line x1="${left}" y1="${at}" x2="${right}" y2="${at}" stroke="${colour}"/>`,
      `<text x="${left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${label}</text>`,
    )
  for (const point of points)
    lines.push(
      `<circle cx="${horizontal(point.x).toFixed(1)}" cy="${vertical(point.y).toFixed(1)}" r="4" fill="#1f6feb" fill-opacity="0.55"><title>${escaped(point.name)}</title></circle>`,
    )
  lines.push(
    `<text x="${(left + right) / 2}" y="${height - 16}" text-anchor="middle">${escaped(x)}</text>`,
    `<text transform="translate(18 ${(top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>`,
    '</svg>',
  )
  return `${lines.join('\n')}\n`
}

type Axis = ScaleLinear<number, number>

/** From the least to the greatest value, rounded outwards to ticks. */
function axis(values: readonly number[], range: readonly [number, number]): Axis {
  const finite = values.filter(Number.isFinite)
  const low = finite.reduce((least, value) => Math.min(least, value), finite[0] ?? 0)
  const high = finite.reduce((most, value) => Math.max(most, value), finite[0] ?? 0)
  // A single value gets an axis from it upwards.
  return scaleLinear([low, high > low ? high : low + (Math.abs(low) || 1)], range).nice(ticksWanted)
}

function ticksOf(scale: Axis): { at: string; label: string; colour: string }[] {
  const format = scale.tickFormat(ticksWanted, '~g')
  return scale.ticks(ticksWanted).map((tick) => ({
    at: scale(tick).toFixed(1),
    // The library's minus sign is not the hyphen used in the table of rewards.
    label: format(tick).replace('\u2212', '-'),
    colour: tick === 0 ? '#888' : '#e5e5e5',
  }))
}
