import { escaped } from '../../services/runtime/escaped.ts'
import { drawnStyle, pageOf, tableOf } from '../../services/runtime/page.ts'
import { formatFixed, percent } from '../../services/terminal/table.ts'
import { differenceOf } from './beside.ts'
import { losslines } from './loss-lines.ts'
import type { Summary } from './summary.ts'
import { captionsOf, liftOf, verdictLines } from './summary-text.ts'

const style = `${drawnStyle}
  .bar { display: inline-block; height: .7em; background: var(--run); margin-right: 6px }
  .negative { color: var(--control) }
  svg { max-width: 44rem }
  svg .run { stroke: var(--run) } svg .control { stroke: var(--control) }
  svg .name.run { fill: var(--run); stroke: none } svg .name.control { fill: var(--control); stroke: none }`

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
${tableOf(['step', 'tokens', typescript, python, 'difference'], rows, 0)}
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
  const body = `<h1>${escaped(run)}: chosen for ${escaped(reference)}, against a random control</h1>
<p>${verdictLines(summary).map(escaped).join(' ')}</p>
<h2>${escaped(captions.losses)}</h2>
${losslines(summary)}
${tableOf(lossHead, lossRows, 0)}
${besideTables(summary)}<h2>${escaped(captions.selected)}</h2>
${tableOf(['actor', 'subcategory', 'corpus', 'selected', 'lift'], shares, 2)}
<h2>${escaped(captions.weights)}</h2>
<p>Theta is how much an actor counts. Where it is below zero, the actor's weights count the other way round: what it weighs least gains most.</p>
${tableOf(['actor', '', ...rounds.map(String)], weights, 2)}
<footer>Written by winnow's demo. To see more while it runs: the board.</footer>`
  return pageOf({ title: run, style, body })
}
