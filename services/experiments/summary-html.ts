import { escaped } from '../runtime/escaped.ts'
import { intervals, lossCurves } from './plots.ts'
import type { ExperimentSummary, SummaryTable } from './summary.ts'
import { captionOf, cellsOfRow, headOf, legend, ranked } from './summary-text.ts'

const style = `
  :root { color-scheme: light dark; --line: #d5dbd7; --muted: #5c6660; --good: #136f60; --bad: #d1495b }
  @media (prefers-color-scheme: dark) { :root { --line: #38413c; --muted: #9aa69f; --good: #4cc3ab; --bad: #ff8193 } }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin-top: 2.4rem }
  .wide { overflow-x: auto }
  table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
  th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
  th { color: var(--muted); font-weight: 600 } th:first-child, td:first-child { text-align: left }
  svg { width: 100%; max-width: 60rem; height: auto; display: block; margin: 1rem 0 } svg text { fill: currentColor; font-size: 12px }
  svg .axis { stroke: var(--line) } svg path { fill: none; stroke-width: 1.8 }
  svg line.good { stroke: var(--good); stroke-width: 2 } svg line.bad { stroke: var(--bad); stroke-width: 2 }
  svg circle.good { fill: var(--good) } svg circle.bad { fill: var(--bad) }
  footer { color: var(--muted); margin-top: 2rem; max-width: 60rem }`

function section(table: SummaryTable): string {
  const rows = ranked(table.rows)
  const cells = (tag: string, list: readonly string[]) =>
    list.map((cell) => `<${tag}>${escaped(cell)}</${tag}>`).join('')
  return `<h2>${escaped(captionOf(table))}</h2>
<div class="wide"><table><thead><tr>${cells('th', headOf(table))}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells('td', cellsOfRow(row))}</tr>`).join('\n')}</tbody></table></div>
${rows.some(({ gain }) => gain !== null) ? intervals(rows, table.baseline) : ''}
${lossCurves(table)}`
}

/** The summary as a page of one file, which loads nothing and runs no script. */
export function summaryHtml(title: string, { cells, finished, tables }: ExperimentSummary): string {
  const baseline = tables[0]?.baseline
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)} · winnow</title><style>${style}
</style></head>
<body>
<h1>${escaped(title)}: ${finished} of ${cells} cells</h1>
${tables.map(section).join('\n')}
<footer>${(baseline === undefined ? [] : legend(baseline)).map((line) => `<p>${escaped(line)}</p>`).join('\n')}
<p>Written by winnow; docs/EXPERIMENTS.md says how to read it.</p></footer>
</body>
</html>
`
}
