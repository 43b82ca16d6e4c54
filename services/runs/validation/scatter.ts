/** A picture of points, (x, y) each, as an SVG document that needs nothing beside it. */
export interface Scatter {
  readonly title: string
  readonly x: string
  readonly y: string
  /** A point's name is shown when the pointer rests on it. */
  readonly points: readonly { readonly x: number; readonly y: number; readonly name: string }[]
}

const width = 720
const height = 520
const margin = { left: 84, right: 24, top: 48, bottom: 60 }
const ticksWanted = 6

export function scatterSvg({ title, x, y, points }: Scatter): string {
  const horizontal = axisOf(points.map((point) => point.x))
  const vertical = axisOf(points.map((point) => point.y))
  const left = (value: number) => place(value, horizontal, margin.left, width - margin.right)
  const top = (value: number) => place(value, vertical, height - margin.bottom, margin.top)
  const [bottomEdge, rightEdge] = [height - margin.bottom, width - margin.right]
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    `<text x="${width / 2}" y="28" text-anchor="middle" font-size="16">${escaped(title)}</text>`,
  ]
  for (const tick of horizontal.ticks) {
    const at = left(tick).toFixed(1)
    lines.push(
      `<line x1="${at}" y1="${margin.top}" x2="${at}" y2="${bottomEdge}" stroke="${lineColour(tick)}"/>`,
      `<text x="${at}" y="${bottomEdge + 20}" text-anchor="middle">${label(tick, horizontal.step)}</text>`,
    )
  }
  for (const tick of vertical.ticks) {
    const at = top(tick).toFixed(1)
    lines.push(
      `<line x1="${margin.left}" y1="${at}" x2="${rightEdge}" y2="${at}" stroke="${lineColour(tick)}"/>`,
      `<text x="${margin.left - 8}" y="${at}" text-anchor="end" dominant-baseline="middle">${label(tick, vertical.step)}</text>`,
    )
  }
  for (const point of points)
    lines.push(
      `<circle cx="${left(point.x).toFixed(1)}" cy="${top(point.y).toFixed(1)}" r="4" fill="#1f6feb" fill-opacity="0.55"><title>${escaped(point.name)}</title></circle>`,
    )
  lines.push(
    `<text x="${(margin.left + rightEdge) / 2}" y="${height - 16}" text-anchor="middle">${escaped(x)}</text>`,
    `<text transform="translate(18 ${(margin.top + bottomEdge) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>`,
    '</svg>',
  )
  return `${lines.join('\n')}\n`
}

interface Axis {
  readonly first: number
  readonly last: number
  readonly step: number
  readonly ticks: readonly number[]
}

/** Round ticks around the values: steps of 1, 2 or 5 times a power of ten. */
function axisOf(values: readonly number[]): Axis {
  const finite = values.filter(Number.isFinite)
  const low = finite.reduce((least, value) => Math.min(least, value), finite[0] ?? 0)
  const high = finite.reduce((most, value) => Math.max(most, value), finite[0] ?? 0)
  const range = high - low || Math.abs(high) || 1
  const power = 10 ** Math.floor(Math.log10(range / ticksWanted))
  const step = power * ([1, 2, 5].find((factor) => factor * power * ticksWanted >= range) ?? 10)
  const first = Math.floor(low / step)
  const last = Math.max(first + 1, Math.ceil(high / step))
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step)
  return { first: first * step, last: last * step, step, ticks }
}

const place = (value: number, { first, last }: Axis, from: number, to: number): number =>
  from + ((value - first) / (last - first)) * (to - from)

const lineColour = (tick: number): string => (tick === 0 ? '#888' : '#e5e5e5')

const label = (tick: number, step: number): string =>
  step >= 1e-4 && step < 1e5 ? tick.toFixed(Math.max(0, -Math.floor(Math.log10(step)))) : tick.toExponential(1)

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
