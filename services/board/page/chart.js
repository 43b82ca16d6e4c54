import { useEffect, useRef, useState } from 'preact/hooks'
import { downloadCsv, downloadSvg } from './download.js'
import { plain } from './format.js'
import { html } from './html.js'

const margin = { top: 12, right: 14, bottom: 26, left: 52 }

/**
 * Lines over a common axis. Pointer or arrow keys show the values at a place.
 * @param series [{ name, color, points: [[x, y], ...], muted, dashed }], x ascending, y null where there is none
 * @param marks [{ x, label }]: upright lines
 */
export function LineChart({ title, name, series, marks = [], xLabel, height = 230, formatX = plain, formatY = plain, note }) {
  const frame = useRef(null)
  const svg = useRef(null)
  const width = useWidth(frame)
  const [at, setAt] = useState(null)
  const drawn = series.map((one) => ({ ...one, points: one.points.filter(([, y]) => y !== null && y !== undefined) }))
  const xs = [...new Set(drawn.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b)
  const ys = drawn.flatMap(({ points }) => points.map(([, y]) => y))
  const empty = xs.length === 0
  const [x0, x1] = empty ? [0, 1] : widened(xs[0], xs.at(-1))
  const yTicks = empty ? [] : ticks(...widened(Math.min(...ys), Math.max(...ys)), Math.max(3, Math.floor(height / 55)))
  const [y0, y1] = empty ? [0, 1] : [Math.min(yTicks[0], ...ys), Math.max(yTicks.at(-1), ...ys)]
  const px = (x) => margin.left + ((x - x0) / (x1 - x0)) * (width - margin.left - margin.right)
  const py = (y) => height - margin.bottom - ((y - y0) / (y1 - y0)) * (height - margin.top - margin.bottom)
  const path = (points) => points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join('')
  const step = (by) => setAt(xs[Math.max(0, Math.min(xs.length - 1, (at === null ? xs.length : xs.indexOf(at)) + by))] ?? null)
  const onKey = (event) => {
    if (event.key === 'ArrowLeft') step(-1)
    else if (event.key === 'ArrowRight') step(at === null ? 0 : 1)
    else if (event.key === 'Escape') setAt(null)
    else return
    event.preventDefault()
  }
  const onPointer = (event) => {
    const box = svg.current.getBoundingClientRect()
    const x = x0 + ((event.clientX - box.left - margin.left) / (width - margin.left - margin.right)) * (x1 - x0)
    setAt(xs.reduce((best, one) => (Math.abs(one - x) < Math.abs(best - x) ? one : best), xs[0] ?? null))
  }
  const values = at === null ? [] : drawn.flatMap(({ name: of, color, muted, points }) => {
    const y = nearest(points, at)
    return y === undefined ? [] : [{ of, color, muted, y }]
  })
  const table = () => downloadCsv([xLabel, ...drawn.map((one) => one.name)],
    xs.map((x) => [x, ...drawn.map(({ points }) => points.find(([of]) => of === x)?.[1])]), name)
  return html`<figure class="chart">
    <figcaption>
      <span>${title}</span>
      <span class="tools">
        <button type="button" onClick=${() => downloadSvg(svg.current, name)} aria-label=${`${title} as SVG`}>SVG</button>
        <button type="button" onClick=${table} aria-label=${`${title} as CSV`}>CSV</button>
      </span>
    </figcaption>
    ${note && html`<p class="note">${note}</p>`}
    <div class="frame" ref=${frame} tabindex="0" role="group" aria-label=${`${title}; arrow keys move through it`}
      onKeyDown=${onKey} onBlur=${() => setAt(null)}>
      ${empty ? html`<p class="empty" style=${`height:${height}px`}>nothing yet</p>` : html`
      <svg ref=${svg} width=${width} height=${height} role="img" aria-label=${title}
        onPointerMove=${onPointer} onPointerLeave=${() => setAt(null)}>
        ${yTicks.map((y) => html`<g><line class="grid" x1=${margin.left} x2=${width - margin.right} y1=${py(y)} y2=${py(y)} />
          <text class="tick" x=${margin.left - 8} y=${py(y) + 4} text-anchor="end">${formatY(y)}</text></g>`)}
        ${xTicks(x0, x1, xs, width).map((x) => html`<text class="tick" x=${px(x)} y=${height - 8} text-anchor="middle">${formatX(x)}</text>`)}
        ${marks.map(({ x, label }) => x >= x0 && x <= x1 && html`<line class="mark" x1=${px(x)} x2=${px(x)} y1=${margin.top} y2=${height - margin.bottom}><title>${label}</title></line>`)}
        ${[...drawn].sort((a, b) => Number(b.muted ?? false) - Number(a.muted ?? false)).map(({ points, color, muted, dashed }) => html`<g>
          <path class=${`line ${muted ? 'muted' : ''}`} d=${path(points)} style=${`stroke:${muted ? 'var(--faint)' : color}`} stroke-dasharray=${dashed ? '5 4' : undefined} />
          ${points.length < 40 && !muted && points.map(([x, y]) => html`<circle cx=${px(x)} cy=${py(y)} r=${points.length < 14 ? 3 : 2} style=${`fill:${color}`} />`)}
        </g>`)}
        ${at !== null && html`<line class="cursor" x1=${px(at)} x2=${px(at)} y1=${margin.top} y2=${height - margin.bottom} />
          ${values.filter(({ muted }) => !muted).map(({ y, color }) => html`<circle class="ring" cx=${px(at)} cy=${py(y)} r="4.5" style=${`fill:${color}`} />`)}`}
      </svg>`}
      ${at !== null && html`<div class=${`tip ${px(at) > width / 2 ? 'left' : ''}`} style=${px(at) > width / 2 ? `right:${width - px(at) + 12}px` : `left:${px(at) + 12}px`} aria-live="polite">
        <b>${xLabel} ${formatX(at)}</b>
        ${values.filter(({ muted }) => !muted || values.length <= 8).sort((a, b) => b.y - a.y).slice(0, 10).map(({ of, color, muted, y }) => html`<div><i style=${`background:${muted ? 'var(--faint)' : color}`}></i><span>${of}</span><em>${formatY(y)}</em></div>`)}
      </div>`}
    </div>
    <div class="axis">${xLabel}</div>
  </figure>`
}

export const Legend = ({ series }) => html`<ul class="legend">
  ${series.map(({ name, color, value, dashed }) => html`<li><i class=${dashed ? 'dashed' : ''} style=${`color:${color}`}></i>${name}${value !== undefined && html` <em>${value}</em>`}</li>`)}
</ul>`

function useWidth(frame) {
  const [width, setWidth] = useState(640)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.max(240, Math.floor(entry.contentRect.width))))
    observer.observe(frame.current)
    return () => observer.disconnect()
  }, [])
  return width
}

/** The value at x; a series that has none there is passed over. */
const nearest = (points, x) => points.find(([of]) => of === x)?.[1]

function widened(low, high) {
  if (low !== high) return [low, high]
  const by = Math.abs(low) * 0.1 || 0.5
  return [low - by, high + by]
}

/** Round numbers that span low to high, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const size = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough)
  const first = Math.floor(low / size + 1e-9) * size
  const found = []
  for (let i = 0; first + (i - 1) * size < high - size * 1e-9; i++) found.push(Number((first + i * size).toPrecision(12)))
  return found
}

/** Rounds and steps are whole: their own values where they fit, else round numbers. */
function xTicks(x0, x1, xs, width) {
  const room = Math.max(2, Math.floor(width / 90))
  if (xs.length === 1) return xs
  if (xs.length <= room) return xs
  return ticks(x0, x1, room).filter((x) => x >= x0 && x <= x1)
}
