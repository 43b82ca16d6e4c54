import { Figure } from './figure.js'
import { fixed, integer } from './format.js'
import { Failure, html, Loading, Scroll, Tiles, useAnswer } from './html.js'
import { namedLines } from './lines.js'

const theSelection = 'selection'
const theCorpus = 'corpus'

/** Whether the selections of a run are better than documents drawn at random, and than what could have been (docs/evaluation.md). */
export function Worth({ run: { info, rounds }, theme }) {
  const rewarded = rounds.filter(({ rewards, manifest }) => rewards && manifest).length
  const path = rewarded > 0 && `/api/runs/${encodeURIComponent(info.name)}/evaluations`
  const { value, error, waiting } = useAnswer(path, rewarded)
  if (!path) return null
  const known = value?.rounds ?? []
  const rows = known.flatMap(({ round, estimates }) => {
    const selection = estimates.find(({ policy }) => policy === theSelection)
    if (!selection || selection.gain === null) return []
    return [{ series: info.name, round, gain: selection.gain, low: selection.gainLow, high: selection.gainHigh }]
  })
  return html`
    <h2>Does it help?</h2>
    <p class="note">The mean reward of the documents that a selection takes, estimated from sampled documents whose rewards its weights had not seen, with 95% intervals. A document drawn at random is the measure.</p>
    <${Failure} error=${error} />
    ${!error && (!value || waiting) && html`<${Loading} what="rewards" />`}
    ${value?.why && html`<p class="empty">${value.why}</p>`}
    ${
      known.length > 0 &&
      html`<div class="grid">
      <${Figure} title="Reward above a random document's" name=${`gain-${info.name}`} rows=${rows} theme=${theme} note=${note(known)} empty="no answer is of a document that was selected"
        draw=${(Plot, drawn, width) => namedLines(Plot, drawn, { x: 'round', y: 'gain', width, series: [info.name], band: ['low', 'high'], extent: ['low', 'high'], integerX: true, zero: true })} />
      <${Alternatives} evaluation=${known.at(-1)} /></div>`
    }`
}

const note = (known) =>
  known.at(-1).on === 'held-out'
    ? 'By rewards that were held out. Above zero, with its interval, the selection is better than chance.'
    : 'By the rewards of the round after it. Above zero, with its interval, the selection is better than chance.'

/** The last round's selection among what could have been instead, best first. */
function Alternatives({ evaluation: { round, answers, estimates } }) {
  const best = estimates.filter(({ mean }) => mean !== null).toSorted((a, b) => b.mean - a.mean)
  return html`<section class="card alternatives"><h3>Round ${round} among its alternatives</h3>
    <p class="note">From ${integer(answers)} rewards.</p>
    <${Scroll}><table><thead><tr><th>selection by</th><th class="n">mean reward</th><th class="n">95% interval</th><th class="n">above random</th></tr></thead>
    <tbody>${best.map(({ policy, mean, low, high, gain }) => html`<tr class=${policy === theSelection ? 'chosen' : ''}><td>${nameOf(policy)}</td><td class="n">${fixed(mean, 3)}</td><td class="n">${fixed(low, 3)} to ${fixed(high, 3)}</td><td class="n">${policy === theCorpus ? '–' : fixed(gain, 3)}</td></tr>`)}</tbody></table><//></section>`
}

const nameOf = (policy) => {
  if (policy === theSelection) return 'this selection'
  return policy === theCorpus ? 'random' : policy
}

/** How far the rankings of subcategories stayed between the last two selections of each actor. */
export function Stability({ run: { info, rounds } }) {
  const selected = rounds.filter(({ manifest }) => manifest).length
  const { value, error } = useAnswer(selected > 1 && `/api/runs/${encodeURIComponent(info.name)}/stability`, selected)
  const last = new Map(value?.pairs.map((pair) => [pair.actor, pair]))
  if (last.size === 0) return html`<${Failure} error=${error} />`
  return html`<section class="stability"><h3>Rank correlation of weights</h3>
    <${Tiles} tiles=${[...last.values()].map(({ actor, from, to, weights, rewards }) => [actor, fixed(weights.spearman), `of rewards: ${fixed(rewards.spearman)}; rounds ${from} to ${to}`])} /></section>`
}
