import { escaped } from '../../services/runtime/escaped.ts'
import { formatFixed, percent } from '../../services/terminal/table.ts'
import { differenceOf } from './beside.ts'
import { losslines } from './loss-lines.ts'
import type { Summary } from './summary.ts'
import { captionsOf, liftOf, verdictLines } from './summary-text.ts'

const style = `
  :root { color-scheme: light dark; --line: #d5dbd7; --muted: #5c6660; --run: #136f60; --control: #d1495b }
  @media (prefers-color-scheme: dark) { :root { --line: #38413c; --muted: #9aa69f; --run: #4cc3ab; --control: #ff8193 } }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin-top: 2.2rem }
  .wide { overflow-x: auto }
  table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
  th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap }
  th { color: var(--muted); font-weight: 600 } .n { text-align: right }
  .bar { display: inline-block; height: .7em; background: var(--run); margin-right: 6px }
  .negative { color: var(--control) }
  svg { width: 100%; max-width: 44rem; height: auto } svg text { fill: currentColor; font-size: 13px }
  svg .axis { stroke: var(--line) } svg .run { stroke: var(--run) } svg .control { stroke: var(--control) }
  svg path { fill: none; stroke-width: 2 } svg .name.run { fill: var(--run); stroke: none } svg .name.control { fill: var(--control); stroke: none }
  footer { color: var(--muted); margin-top: 2rem }`

const table = (head: readonly string[], rows: readonly (readonly string[])[], textColumns: number): string => {
  const side = (i: number) => (i < textColumns ? '' : ' class="n"')
  const cells = (row: readonly string[]) => row.map((cell, i) => `<td${side(i)}>${cell}</td>`).join('')
  return `<div class="wide"><table><thead><tr>${head.map((title, i) => `<th${side(i)}>${escaped(title)}</th>`).join('')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('\n')}</tbody></table></div>`
}

/** A negative value stands out: it turns something round. */
const signed = (value: number, digits: number): string =>
  value < 0 ? `<span class="negative">${formatFixed(value, digits)}</span>` : formatFixed(value, digits)

const besideTables = ({ beside }: Summary): string =>
  (beside?.runs ?? [])
    .map(({ typescript, python, losses }) => {
      const rows = losses.map((pair) => [
        `${pair.step}`,
        `${pair.tokens}`,
        formatFixed(pair.typescript, 4),
        formatFixed(pair.python, 4),
        formatFixed(differenceOf(pair), 4),
      ])
      return `<h2>${escaped(`${typescript}, trained by PyTorch too: reference loss`)}</h2>
${table(['step', 'tokens', typescript, python, 'difference'], rows, 0)}
`
    })
    .join('')

/** The summary as a page of one file, which loads nothing and runs no script. */
export function summaryHtml(summary: Summary): string {
  const { run, control, reference, selected, actors, rounds, losses } = summary
  const captions = captionsOf(summary)
  const shares = selected.map(({ actor, subcategory, corpus, selected: after, lift }, i) => [
    actor === selected[i - 1]?.actor ? '' : escaped(actor),
    escaped(subcategory),
    percent(corpus),
    `<span class="bar" style="width:${(after * 8).toFixed(2)}em"></span>${percent(after)}`,
    liftOf(lift),
  ])
  const weights = actors.flatMap(({ actor, theta, subcategories }) => [
    [escaped(actor), '<b>theta</b>', ...theta.map((value) => `<b>${signed(value, 3)}</b>`)],
    ...subcategories.map(({ subcategory, weights: byRound }) => [
      '',
      escaped(subcategory),
      ...byRound.map((value) => signed(value, 2)),
    ]),
  ])
  const lossRows = losses.map(({ step, tokens, ...values }) => [
    `${step}`,
    `${tokens}`,
    ...[values.reference, values.referenceControl, values.otherText, values.otherTextControl].map((loss) =>
      formatFixed(loss, 4),
    ),
  ])
  const lossHead = ['step', 'tokens', `reference: ${run}`, control, `other text: ${run}`, control]
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(run)} · winnow</title><style>${style}
</style></head>
<body>
<h1>${escaped(run)}: chosen for ${escaped(reference)}, against a random control</h1>
<p>${verdictLines(summary).map(escaped).join(' ')}</p>
<h2>${escaped(captions.losses)}</h2>
${losslines(summary)}
${table(lossHead, lossRows, 0)}
${besideTables(summary)}<h2>${escaped(captions.selected)}</h2>
${table(['actor', 'subcategory', 'corpus', 'selected', 'lift'], shares, 2)}
<h2>${escaped(captions.weights)}</h2>
<p>Theta is how much an actor counts. Where it is below zero, the actor's weights count the other way round: what it weighs least gains most.</p>
${table(['actor', '', ...rounds.map(String)], weights, 2)}
<footer>Written by winnow's demo. To see more while it runs: the board.</footer>
</body>
</html>
`
}
