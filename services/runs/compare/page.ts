import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { escaped } from '../../runtime/escaped.ts'
import { packageFile } from '../../runtime/package-file.ts'
import { dataOf, pageOf, tableOf } from '../../runtime/page.ts'
import { formatFixed, percent } from '../../terminal/table.ts'
import type { RoundOfTwo } from './compare-runs.ts'
import type { ComparedRun } from './compared-run.ts'
import type { Divergence } from './divergence.ts'
import { causesBesideRewards, divergenceLines, offsetsInWords } from './divergence-words.ts'
import type { LossesAt } from './losses.ts'
import type { Both } from './overlap.ts'
import { cellsShown, nameOfCell, plotDataOf } from './plot-data.ts'

const style = `
  :root { --bar: #8fb8b0 }
  @media (prefers-color-scheme: dark) { :root { --bar: #2f6f63 } }
  body { max-width: 72rem }
  h2 { font-size: 1.2rem; margin-top: 2.6rem } h3 { font-size: 1rem; margin: 1.4rem 0 .4rem } h4 { font-size: .85rem; margin: 0; font-weight: 600 }
  .first::before, .second::before { content: ''; display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .35em }
  .first::before { background: var(--run) } .second::before { background: var(--control) }
  .multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .9rem 1.2rem }
  .note { color: var(--muted); margin: .2rem 0 .8rem; max-width: 60rem }
  .long { white-space: normal; overflow-wrap: anywhere; max-width: 60rem }
  details { margin: 1rem 0 } summary { cursor: pointer; color: var(--muted) }`

/** The comparison as a page of one file, whose plots need no network. @param runs as they were compared */
export function comparisonHtml(runs: Both<ComparedRun>, rounds: readonly RoundOfTwo[]): string {
  const names = [runs[0].name, runs[1].name] as const
  const last = rounds.at(-1)!
  const losses = rounds.flatMap((round) => round.losses)
  const diverged = rounds.find(({ divergence }) => divergence !== null)?.divergence ?? null
  const body = `<h1><span class="first">${escaped(names[0])}</span> and <span class="second">${escaped(names[1])}</span>, round by round</h1>
${verdict(rounds, losses)}
<h2>First divergence</h2>
${divergenceHtml(diverged, names)}
<h2>Overlap</h2>
<p class="note">Jaccard: documents in both selections over documents in either.</p>
<div data-plot="overlap" data-title="Overlap by round"></div>
${overlapTable(rounds, names)}
<h3>By cell</h3>
<p class="note">The ${Math.min(cellsShown, last.overlap.cells.length)} cells of most documents, of ${last.overlap.cells.length}. A cell is the documents with the same labels, by the actors of ${escaped(names[0])}.${unlabelledOf(last)}</p>
<div data-plot="cells" data-title="Overlap by cell and round"></div>
${cellsTable(last, names)}
<h2>Theta</h2>
<div class="multiples" data-plot="theta"></div>
${thetaTable(rounds, names)}
<h2>Weights</h2>
${last.actors.map(({ actor }) => `<h3>${escaped(actor)}</h3>\n<div class="multiples" data-plot="weights" data-actor="${escaped(actor)}"></div>`).join('\n')}
${weightsTable(rounds, names)}
<h2>Tokens by subcategory, round ${last.round}</h2>
${last.actors
  .filter(({ subcategories }) => subcategories.some(({ tokens }) => tokens !== null))
  .map(
    ({ actor }) =>
      `<h3>${escaped(actor)}</h3>\n<div data-plot="tokens" data-title="Tokens by ${escaped(actor)}" data-actor="${escaped(actor)}"></div>`,
  )
  .join('\n')}
${tokensTable(rounds, names)}
<h2>Losses at equal tokens</h2>
${lossesHtml(losses, names)}
<footer>Written by winnow compare. Numbers of every cell: winnow compare ${names.map(escaped).join(' ')} --json</footer>
${dataOf('compared', plotDataOf(runs, rounds))}`
  const scripts = [
    readFileSync(packageFile('d3', 'dist/d3.min.js'), 'utf8'),
    readFileSync(packageFile('@observablehq/plot', 'dist/plot.umd.min.js'), 'utf8'),
    readFileSync(join(import.meta.dirname, 'plots.js'), 'utf8'),
  ]
  return pageOf({ title: `${names[0]} and ${names[1]}`, style, body, scripts })
}

function verdict(rounds: readonly RoundOfTwo[], losses: readonly LossesAt[]): string {
  const last = rounds.at(-1)!
  const { common, documents, jaccard } = last.overlap
  const { tokens, reference } = losses.findLast(({ reference: [, b] }) => b !== null) ?? {}
  const lines = [
    rounds.every(({ same }) => same)
      ? `All ${rounds.length} rounds are the same to the bit.`
      : `${rounds.length} rounds in common. In round ${last.round}: ${common} documents in both, of ${documents[0]} and ${documents[1]} (Jaccard ${formatFixed(jaccard, 3)}).`,
    reference === undefined
      ? ''
      : `Reference loss after ${tokens} tokens: ${formatFixed(reference[0], 4)} and ${formatFixed(reference[1], 4)}.`,
  ]
  return `<p>${lines.map(escaped).join(' ')}</p>`
}

function divergenceHtml(divergence: Divergence | null, names: Both<string>): string {
  if (divergence === null) return '<p>None: nothing differs.</p>'
  const [what, ...all] = divergenceLines(divergence, names)
  // Rewards have a table of their own.
  const causes = divergence.rewards.length > 0 ? causesBesideRewards(divergence, names) : all
  const rows = divergence.rewards.map(({ actor, subcategory, common, others, alone, offsets, first }) => [
    ...[actor, subcategory].map(escaped),
    ...[others, common, ...alone].map(String),
    ...offsets.map((of) => escaped(offsetsInWords(of))),
    first.docId,
    ...first.rewards.map((reward) => formatFixed(reward, 6)),
  ])
  const [a, b] = names
  const head = ['actor', 'subcategory', 'differ', 'asked by both', `only ${a}`, `only ${b}`]
  const places = [`offsets of ${a}`, `of ${b}`, 'first document', `reward of ${a}`, `of ${b}`]
  const topics = `<p class="note">Offsets in ${divergence.rewardTopics.map(escaped).join(' and ')}.</p>`
  return `<p class="long">${escaped(what!)}</p>
<ul>${causes.map((cause) => `<li class="long">${escaped(cause)}</li>`).join('\n')}</ul>
${rows.length === 0 ? '' : `<h3>Rewards that differ</h3>\n${tableOf([...head, ...places], rows, 2)}\n${topics}`}`
}

function overlapTable(rounds: readonly RoundOfTwo[], [a, b]: Both<string>): string {
  const head = ['round', `documents of ${a}`, `of ${b}`, 'in both', 'Jaccard', 'first difference']
  const rows = rounds.map(({ round, same, firstDifference, overlap: { documents, common, jaccard } }) => [
    ...[round, ...documents, common].map(String),
    formatFixed(jaccard, 4),
    same ? 'none' : `<span class="long">${escaped(short(firstDifference!))}</span>`,
  ])
  return tableOf(head, rows, 0)
}

/** A list of weights can be long; the log and --json have it whole. */
const short = (text: string): string => (text.length > 120 ? `${text.slice(0, 120)}…` : text)

function cellsTable(round: RoundOfTwo, [a, b]: Both<string>): string {
  const { overlap, actors } = round
  const rows = overlap.cells.map((cell) => [
    escaped(nameOfCell(cell.labels, actors)),
    ...[...cell.documents, cell.common].map(String),
    formatFixed(cell.common / Math.max(1, cell.documents[0] + cell.documents[1] - cell.common), 3),
    ...cell.tokens.map(String),
  ])
  const head = ['cell', `documents of ${a}`, `of ${b}`, 'in both', 'Jaccard', `tokens of ${a}`, `of ${b}`]
  return folded(`All ${rows.length} cells of round ${round.round}`, tableOf(head, rows, 1))
}

const unlabelledOf = ({ overlap: { unlabelled } }: RoundOfTwo): string =>
  unlabelled[0] + unlabelled[1] === 0
    ? ''
    : ` Of the selections ${unlabelled[0]} and ${unlabelled[1]} documents are in none: that corpus does not have them with all labels.`

const folded = (title: string, html: string): string =>
  `<details><summary>${escaped(title)}</summary>\n${html}\n</details>`

function thetaTable(rounds: readonly RoundOfTwo[], names: Both<string>): string {
  const actors = rounds.at(-1)!.actors.map(({ actor }) => actor)
  const rows = actors.flatMap((actor) =>
    names.map((name, side) => [
      side === 0 ? escaped(actor) : '',
      escaped(name),
      ...rounds.map(({ actors: own }) => formatFixed(own.find((one) => one.actor === actor)?.theta[side], 4)),
    ]),
  )
  return folded(
    'Theta in numbers, by round',
    tableOf(['actor', 'run', ...rounds.map(({ round }) => `${round}`)], rows, 2),
  )
}

function weightsTable(rounds: readonly RoundOfTwo[], names: Both<string>): string {
  return folded(
    'Weights in numbers, by round',
    byRoundTable(rounds, names, ({ weights }, side) => formatFixed(weights[side], 4)),
  )
}

function tokensTable(rounds: readonly RoundOfTwo[], names: Both<string>): string {
  return folded(
    'Tokens in numbers, by round',
    byRoundTable(rounds, names, ({ tokens }, side, round) =>
      tokens === null ? '–' : `${tokens[side]} (${percent(tokens[side]! / Math.max(1, round.tokens[side]!))})`,
    ),
  )
}

type Subcategory = RoundOfTwo['actors'][number]['subcategories'][number]

/** A row for each subcategory and run, a column for each round. */
function byRoundTable(
  rounds: readonly RoundOfTwo[],
  names: Both<string>,
  text: (one: Subcategory, side: 0 | 1, round: RoundOfTwo) => string,
): string {
  const rows = rounds.at(-1)!.actors.flatMap(({ actor, subcategories }) =>
    subcategories.flatMap(({ subcategory }) =>
      names.map((name, side) => [
        ...(side === 0 ? [escaped(actor), escaped(subcategory)] : ['', '']),
        escaped(name),
        ...rounds.map((round) => {
          const own = round.actors.find((one) => one.actor === actor)?.subcategories
          const found = own?.find((one) => one.subcategory === subcategory)
          return found === undefined ? '–' : text(found, side as 0 | 1, round)
        }),
      ]),
    ),
  )
  return tableOf(['actor', 'subcategory', 'run', ...rounds.map(({ round }) => `${round}`)], rows, 3)
}

function lossesHtml(losses: readonly LossesAt[], [a, b]: Both<string>): string {
  if (losses.length === 0)
    return `<p>${escaped(a)} reports no evaluations in these rounds: a replay has none, and a trainer evaluates at its own intervals.</p>`
  const rows = losses.map(({ tokens, reference, otherText }) => [
    `${tokens}`,
    ...[...reference, ...otherText].map((loss) => formatFixed(loss, 4)),
  ])
  const head = ['tokens', `reference: ${a}`, b, `other text: ${a}`, b]
  return `<h3>On the reference</h3>
<div data-plot="losses" data-title="Loss on the reference over tokens" data-loss="reference"></div>
<h3>On other text</h3>
<div data-plot="losses" data-title="Loss on other text over tokens" data-loss="otherText"></div>
<p class="note">Nats per token, where ${escaped(a)} was evaluated; those of ${escaped(b)} are interpolated between its evaluations.</p>
${tableOf(head, rows, 0)}`
}
