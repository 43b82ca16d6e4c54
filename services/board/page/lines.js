import { number } from './format.js'

const labelHeight = 13
const colors = ['var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)', 'var(--c6)', 'var(--c7)', 'var(--c8)']
export const coloredMax = colors.length
export const colorOf = (i) => colors[i % colors.length]

/** Black or white, whichever is read better on a colour (WCAG 2.2, relative luminance). @param color rgb(r, g, b) */
export function inkOn(color) {
  const [r, g, b] = color.match(/\d+/g).map((part) => {
    const share = Number(part) / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff'
}

/** A label below the middle of an axis, clear of its numbers. */
export const centred = { labelAnchor: 'center', labelArrow: 'none', labelOffset: 36 }

/**
 * Options for lines labelled at their ends, so that a downloaded picture needs no legend.
 * @param rows [{ [x], [y], series }]
 * @param series names in order; those from `coloredMax` on are grey
 * @param extent columns that the axis of y has room for
 * @param marks further marks, drawn below
 */
export function namedLines(
  Plot,
  rows,
  {
    x,
    y,
    width,
    series,
    height = 240,
    xLabel = x,
    yLabel = null,
    dashed = () => false,
    below = [],
    band,
    extent = [y],
    yFormat,
    xFormat,
    zero = false,
    integerX = false,
    colorIndex = (name) => series.indexOf(name),
  },
) {
  const known = rows.filter((row) => row[y] !== null && row[y] !== undefined)
  const values = known.flatMap((row) => (band ?? extent).flatMap((column) => row[column] ?? []))
  const domain = widened(Math.min(...values, ...(zero ? [0] : [])), Math.max(...values))
  const color = (name) => (colorIndex(name) < coloredMax ? colorOf(colorIndex(name)) : 'var(--faint)')
  const longest = Math.max(0, ...series.map((name) => name.length))
  const marginRight = Math.min(Math.max(40, longest * 7 + 16), width * 0.42)
  const lasts = series.slice(0, coloredMax).flatMap((name) => known.findLast((row) => row.series === name) ?? [])
  const marginTop = 12
  const marginBottom = 34
  const xs = [...new Set(known.map((row) => row[x]))]
  return {
    height,
    marginTop,
    marginBottom,
    marginLeft: 52,
    marginRight,
    x: {
      label: xLabel,
      labelAnchor: 'center',
      labelArrow: 'none',
      tickFormat: xFormat,
      nice: false,
      ...(integerX && { ticks: integerTicks(xs, width), tickFormat: String }),
    },
    y: { label: yLabel, domain, grid: true, tickFormat: yFormat, ticks: Math.round(height / 48) },
    color: { type: 'identity' },
    marks: [
      ...below,
      ...(band
        ? [
            Plot.areaY(known, {
              x,
              y1: band[0],
              y2: band[1],
              z: 'series',
              fill: (row) => color(row.series),
              fillOpacity: 0.13,
            }),
            // A band at a single x would be invisible.
            ...(xs.length === 1
              ? [
                  Plot.ruleX(known, {
                    x,
                    y1: band[0],
                    y2: band[1],
                    stroke: (row) => color(row.series),
                    strokeOpacity: 0.4,
                    strokeWidth: 3,
                  }),
                ]
              : []),
          ]
        : []),
      ...(domain[0] < 0 && domain[1] > 0 ? [Plot.ruleY([0], { stroke: 'var(--faint)' })] : []),
      Plot.lineY(known, {
        x,
        y,
        z: 'series',
        stroke: (row) => color(row.series),
        strokeWidth: 1.8,
      }),
      ...[...new Set(known.filter((row) => dashed(row.series)).map((row) => row.series))].map((name) =>
        Plot.lineY(
          known.filter((row) => row.series === name),
          { x, y, stroke: 'var(--surface)', strokeWidth: 2.4, strokeDasharray: '3 5' },
        ),
      ),
      ...(xs.length <= 40 ? [Plot.dot(known, { x, y, r: 2.4, fill: (row) => color(row.series) })] : []),
      Plot.text(spread(lasts, { y, domain, pixels: height - marginTop - marginBottom }), {
        x,
        y: 'at',
        text: (row) => shortened(row.series, Math.floor((marginRight - 12) / 6.7)),
        fill: (row) => color(row.series),
        textAnchor: 'start',
        dx: 8,
        fontWeight: 600,
      }),
      Plot.tip(
        known,
        Plot.pointer({ x, y, title: (row) => tipOf(row), fill: 'var(--surface)', stroke: 'var(--line)' }),
      ),
    ],
  }
}

const shortened = (name, length) => (name.length > length ? `${name.slice(0, length - 1)}…` : name)

const tipOf = (row) =>
  [
    row.series,
    ...Object.entries(row)
      .filter(([key, value]) => key !== 'series' && value !== null && value !== undefined)
      .map(([key, value]) => `${key} ${typeof value === 'number' ? number(value) : value}`),
  ].join('\n')

/** Moves apart labels that would overlap, in data units. */
function spread(lasts, { y, domain: [low, high], pixels }) {
  const gap = (labelHeight / pixels) * (high - low)
  const sorted = [...lasts].sort((a, b) => a[y] - b[y]).map((row) => ({ ...row, at: row[y] }))
  for (let i = 1; i < sorted.length; i++) sorted[i].at = Math.max(sorted[i].at, sorted[i - 1].at + gap)
  // Labels pushed out at the top come back down together.
  let ceiling = high + gap / 2
  for (let i = sorted.length - 1; i >= 0; i--) {
    sorted[i].at = Math.min(sorted[i].at, ceiling)
    ceiling = sorted[i].at - gap
  }
  return sorted
}

function widened(low, high) {
  const by = (high - low) * 0.06 || Math.abs(low) * 0.1 || 0.5
  return [low - by, high + by]
}

/** Rounds are integers: each gets its own tick if there is room. */
function integerTicks(xs, width) {
  const room = Math.max(3, Math.floor(width / 60))
  const every = Math.max(1, Math.ceil(xs.length / room))
  return xs.filter((_, i) => i % every === 0)
}
