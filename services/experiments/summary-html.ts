import { escaped } from '../runtime/escaped.ts'
import { drawnStyle, pageOf, tableOf } from '../runtime/page.ts'
import { intervals, lossCurves } from './plots.ts'
import type { ExperimentSummary, SummaryTable } from './summary.ts'
import { captionOf, cellsOfRow, headOf, legend, ranked } from './summary-text.ts'

const style = `${drawnStyle}
  :root { --good: var(--run); --bad: var(--control) }
  body { max-width: 78rem }
  h2 { font-size: 1.1rem; margin-top: 2.4rem }
  svg { max-width: 60rem; display: block; margin: 1rem 0 } svg text { font-size: 12px }
  svg path { stroke-width: 1.8 }
  svg line.good { stroke: var(--good); stroke-width: 2 } svg line.bad { stroke: var(--bad); stroke-width: 2 }
  svg circle.good { fill: var(--good) } svg circle.bad { fill: var(--bad) }
  footer { max-width: 60rem }`

function section(table: SummaryTable): string {
  const rows = ranked(table.rows)
  const cells = rows.map((row) => cellsOfRow(row).map(escaped))
  return `<h2>${escaped(captionOf(table))}</h2>
${tableOf(headOf(table), cells, 1)}
${rows.some(({ gain }) => gain !== null) ? intervals(rows, table.baseline) : ''}
${lossCurves(table)}`
}

/** The summary as a page of one file, which loads nothing and runs no script. */
export function summaryHtml(title: string, { cells, finished, tables }: ExperimentSummary): string {
  const baseline = tables[0]?.baseline
  const body = `<h1>${escaped(title)}: ${finished} of ${cells} cells</h1>
${tables.map(section).join('\n')}
<footer>${(baseline === undefined ? [] : legend(baseline)).map((line) => `<p>${escaped(line)}</p>`).join('\n')}
<p>Written by winnow; docs/EXPERIMENTS.md says how to read it.</p></footer>`
  return pageOf({ title, style, body })
}
