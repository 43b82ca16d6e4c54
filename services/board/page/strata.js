import { fixed, integer, short, sum } from './format.js'
import { html, Scroll } from './html.js'
import { rankName } from './reading.js'

/** A condition of a pool, in words. */
function conditionOf(condition) {
  if ('tokensMin' in condition) return `at least ${integer(condition.tokensMin)} tokens`
  if ('subcategories' in condition) return `${condition.actor} is ${condition.subcategories.join(' or ')}`
  if ('scoreAbove' in condition) return `score of ${condition.actor} above ${condition.scoreAbove}`
  const [low, high] = condition.quantiles
  return `score of ${condition.actor} between its quantiles ${low} and ${high}`
}

function scoreOf({ kind, actor, sign, standardize }) {
  if (kind === 'actors') return "the actors' weights and theta (Eq. 6)"
  if (kind === 'zero') return 'none: all documents are alike'
  return `${sign === -1 ? 'minus ' : ''}the score of ${actor}${standardize === 'corpus' ? ', standardized over the corpus' : ''}`
}

function mixtureOf(mixture, info) {
  if (!mixture) return 'none'
  if (mixture.proportional) return `by ${mixture.actor}, as the pool has them`
  const { subcategories } = info.actors.find(({ name }) => name === mixture.actor)
  const total = sum(mixture.weights)
  return `by ${mixture.actor}: ${subcategories.map((name, j) => `${name} ${((100 * mixture.weights[j]) / total).toFixed(1)}%`).join(', ')}`
}

const partsOf = ({ pool, score, mixture, sampler }, info) => [
  ['pool', pool.length === 0 ? 'the whole corpus' : pool.map(conditionOf).join(', and ')],
  ['score', scoreOf(score)],
  ['mixture', mixtureOf(mixture, info)],
  ['sampler', sampler.kind === 'top' ? 'the highest scores' : `Gumbel, at temperature ${sampler.temperature}`],
]

/** How a run with a strategy selects, and what each stratum of the round gave; of guards without one the strata alone. */
export function Strata({ info, manifest }) {
  const { strategy } = info
  if (!manifest.strata || !(strategy || manifest.strata.some(({ guarded }) => guarded))) return null
  const strata = info.actors.find(({ name }) => name === strategy?.mixture?.actor)?.subcategories
  const unit = 'documents' in info.budget ? 'documents' : 'tokens'
  const parts = strategy ? partsOf(strategy, info) : []
  return html`<section class="card strategy"><h3>${strategy ? 'Strategy' : 'Strata of the guards'}</h3>
    ${strategy && html`<dl class="settings">${parts.map(([name, words]) => html`<dt>${name}</dt><dd>${words}</dd>`)}</dl>`}
    <${Scroll}><table class="strata"><thead><tr><th>stratum</th><th class="n">documents in the pool</th><th class="n">tokens in the pool</th><th class="n">quota, ${unit}</th><th class="n">selected</th><th class="n">tokens</th><th class="n">lowest ${rankName(info)}</th><th class="n">ranked one by one</th></tr></thead>
    <tbody>${manifest.strata.map(
      (one) =>
        html`<tr><td>${one.guarded ?? (one.subcategory === null ? 'all' : (strata?.[one.subcategory] ?? one.subcategory))}</td><td class="n">${integer(one.heldDocuments)}</td><td class="n">${short(one.heldTokens)}</td><td class="n">${one.quota === null ? 'all it has' : integer(one.quota)}</td><td class="n">${integer(one.documents)}</td><td class="n">${short(one.tokens)}</td><td class="n">${fixed(one.threshold, 5)}</td><td class="n">${integer(one.refined)}</td></tr>`,
    )}</tbody></table><//>
    <p class="note">Quota: what the mixture or the guards allow a stratum. Ranked one by one: documents that no cell decided for all of its kind.</p></section>`
}

/** What became of the run's actors at this round, with who wanted it and why. */
export function ChangesOfRound({ changes }) {
  if (!changes || changes.length === 0) return null
  return html`<section class="card changes"><h3>Changes of actors</h3><ul>${changes.map((change) => html`<li>${change}</li>`)}</ul></section>`
}

/** What a round's selection had to keep to, whatever the actors had learned, with who wants it and why. */
export function GuardsOfRound({ guards }) {
  if (!guards || guards.length === 0) return null
  return html`<section class="card guards"><h3>Guards</h3>
    <ul>${guards.map((guard) => html`<li>${guard}</li>`)}</ul>
    <p class="note">They hold whatever the actors learn; winnow steer changes them from a round on.</p></section>`
}
