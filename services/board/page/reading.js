import { fixed } from './format.js'
import { html } from './html.js'

/** Whether its theta and weights affect its scores. */
export const hasActorScores = ({ kind, strategy }) =>
  kind !== 'control' && (strategy === null || strategy.score.kind === 'actors')

/** A run as one of its rounds has it: its actors, or their subcategories, may have become others. */
export const infoAt = (info, round) => (round?.actors ? { ...info, actors: round.actors } : info)

/** Every actor that a run has had, in the order in which they came, with every subcategory of it. */
export function actorsEver(info, rounds) {
  const known = new Map(info.actors.map((actor) => [actor.name, actor]))
  for (const { actors } of rounds)
    for (const actor of actors ?? []) {
      const before = known.get(actor.name)
      const subcategories = [...new Set([...(before?.subcategories ?? []), ...actor.subcategories])]
      known.set(actor.name, { ...actor, subcategories })
    }
  return [...known.values()]
}

/** What documents are ordered by: the sampler gumbel adds a draw to the score. */
export const rankName = ({ strategy }) => (strategy?.sampler.kind === 'gumbel' ? 'rank' : 'score')

/** A round whose documents all have the same score: the first, since nothing is rewarded yet, and every round of a control. */
export const isRandom = (info, round) =>
  info.kind === 'control' ||
  info.strategy?.score.kind === 'zero' ||
  (round === 0 && info.firstSelection === 'random' && hasActorScores(info))

/** A note for every view of a run whose theta and weights have no effect. */
export const NoScores = ({ info }) =>
  !hasActorScores(info) &&
  html`<p class="told">${
    info.kind === 'control'
      ? `${info.name} is a control: every round is drawn at random. It requests no rewards, and theta and weights keep their initial values.`
      : `${info.name} selects by a strategy that does not use the actors' scores (${info.strategy.score.kind === 'zero' ? 'no score' : `labels of ${info.strategy.score.actor}`}): theta and weights have no effect.`
  }</p>`

/** Explains a negative theta where there is one. */
export function NegativeTheta({ info, manifest }) {
  if (!manifest || !hasActorScores(info)) return null
  const negative = info.actors.flatMap(({ name, subcategories }, a) => {
    if (manifest.theta[a] >= 0) return []
    const weights = manifest.weights[a]
    const least = weights.reduce((low, weight, j) => (weight < weights[low] ? j : low), 0)
    return [{ name, theta: manifest.theta[a], favoured: subcategories[least] }]
  })
  if (negative.length === 0) return null
  return html`<p class="told">${negative.map(
    ({
      name,
      theta,
      favoured,
    }) => html`Theta of <b>${name}</b> is negative (${fixed(theta, 3)}): its weights are reversed, so by itself it
    favours what it weighs least, <b>${favoured}</b>. `,
  )}</p>`
}
