import { fixed } from './format.js'
import { html } from './html.js'

/** Its theta and weights take part in its scores. */
export const hasActorScores = ({ kind, strategy }) =>
  kind !== 'control' && (strategy === null || strategy.score.kind === 'actors')

/** A round whose documents all have the same score: the first, for nothing is rewarded yet, and every one of a control. */
export const isRandom = (info, round) =>
  info.kind === 'control' ||
  info.strategy?.score.kind === 'zero' ||
  (round === 0 && info.firstSelection === 'random' && hasActorScores(info))

/** Said of every view of a run that its theta and weights mean nothing for. */
export const NoScores = ({ info }) =>
  !hasActorScores(info) &&
  html`<p class="told">${
    info.kind === 'control'
      ? `${info.name} is a control: every round is drawn at random. It asks for no rewards, and theta and weights stay as they began.`
      : `${info.name} selects by a strategy that does not use the actors' scores (${info.strategy.score.kind === 'zero' ? 'no score' : `labels of ${info.strategy.score.actor}`}): theta and weights change nothing.`
  }</p>`

/** What a negative theta does, said where one stands. */
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
    }) => html`Theta of <b>${name}</b> is negative (${fixed(theta, 3)}): its weights count the other way round, so by itself it
    favours what it weighs least, <b>${favoured}</b>. `,
  )}</p>`
}
