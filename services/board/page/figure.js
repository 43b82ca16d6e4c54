import { useEffect, useRef, useState } from 'preact/hooks'
import { downloadCsv, downloadSvg } from './download.js'
import { number } from './format.js'
import { html, Scroll } from './html.js'

let loading

/** Observable Plot on d3, loaded with the first plot: the dataflow does not need it. */
const loadPlot = () => {
  loading ??= (async () => {
    await script('/vendor/d3.js')
    await script('/vendor/plot.js')
    return globalThis.Plot
  })()
  return loading
}

const script = (src) =>
  new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement('script'), { src, onload: resolve, onerror: reject })
    document.head.append(element)
  })

/**
 * A plot of rows with its downloads and its table.
 * @param name file name of the downloads
 * @param rows [{ column: value }]: what is drawn and what the CSV holds
 * @param draw (Plot, rows, width) => options of Plot.plot
 * @param formats how the table shows columns: { column: (value) => text }
 * @param loading the rows have been asked for
 * @param empty what it means that there are no rows
 */
export function Figure({
  title,
  note,
  name,
  rows,
  draw,
  theme,
  redraw,
  wide,
  formats = {},
  loading,
  empty = 'nothing yet',
  children,
}) {
  const frame = useRef(null)
  const [width, setWidth] = useState(0)
  const [asTable, setAsTable] = useState(false)
  const content = JSON.stringify(rows)
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)))
    observer.observe(frame.current)
    return () => observer.disconnect()
  }, [])
  useEffect(() => {
    if (width === 0 || rows.length === 0 || asTable) return
    let current = true
    loadPlot().then((Plot) => {
      if (!current) return
      const plot = Plot.plot({ width, style: { fontSize: '11.5px' }, ...draw(Plot, rows, width) })
      plot.setAttribute('role', 'img')
      plot.setAttribute('aria-label', title)
      frame.current?.querySelector('.drawn')?.replaceChildren(plot)
    })
    return () => {
      current = false
    }
  }, [content, width, theme, asTable, redraw])
  const columns = Object.keys(rows[0] ?? {})
  const csv = () =>
    downloadCsv(
      columns,
      rows.map((row) => columns.map((column) => row[column])),
      name,
    )
  return html`<figure class=${wide ? 'wide' : ''} data-name=${name}>
    <figcaption>
      <h3>${title}</h3>
      ${
        rows.length > 0 &&
        html`<span class="tools">
        <button type="button" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)} aria-label=${`${title} as a table`}>Table</button>
        <button type="button" disabled=${asTable} onClick=${() => downloadSvg(frame.current.querySelector('svg'), name)} aria-label=${`${title}: download SVG`}>SVG</button>
        <button type="button" onClick=${csv} aria-label=${`${title}: download CSV`}>CSV</button>
      </span>`
      }
    </figcaption>
    ${note && html`<p class="note">${note}</p>`}
    <div class="frame" ref=${frame}>
      ${rows.length === 0 ? html`<p class=${loading ? 'empty loading' : 'empty'}>${loading ? 'reading …' : empty}</p>` : asTable ? html`<${Table} columns=${columns} rows=${rows} formats=${formats} />` : html`<div class="drawn"></div>`}
    </div>
    ${children}
  </figure>`
}

const rowsMax = 500

function shown(value, format) {
  if (value === null || value === undefined) return '–'
  if (format) return format(value)
  return typeof value === 'number' ? number(value) : value
}

function Table({ columns, rows, formats }) {
  const side = (column) => (rows.some((row) => typeof row[column] === 'number') ? 'n' : '')
  return html`<${Scroll}><table>
    <thead><tr>${columns.map((column) => html`<th class=${side(column)}>${column}</th>`)}</tr></thead>
    <tbody>${rows.slice(-rowsMax).map((row) => html`<tr>${columns.map((column) => html`<td class=${side(column)}>${shown(row[column], formats[column])}</td>`)}</tr>`)}</tbody>
  </table><//>${rows.length > rowsMax && html`<p class="more">the last ${rowsMax} of ${rows.length} rows; the CSV has all</p>`}`
}
