import htm from 'htm'
import { h } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { ask } from './store.js'

/** JSX without a compiler: html`<p>${text}</p>`. */
export const html = htm.bind(h)

/**
 * The board's answer to a path, asked again when the path or `version` changes; what was there stays until the new one has come.
 * @param path undefined: nothing is asked
 */
export function useAnswer(path, version) {
  const [answer, setAnswer] = useState({ path: undefined, value: undefined, error: undefined })
  useEffect(() => {
    if (path === undefined) return
    let current = true
    ask(path).then(
      (value) => current && setAnswer({ path, value, error: undefined }),
      (error) => current && setAnswer({ path, value: undefined, error: error.message }),
    )
    return () => {
      current = false
    }
  }, [path, version])
  if (path === undefined) return { value: undefined, error: undefined, waiting: false }
  return { ...answer, waiting: answer.path !== path }
}

export const Failure = ({ error }) => error && html`<p class="problem" role="alert">${error}</p>`

export const Tiles = ({ tiles }) => html`<dl class="tiles">
  ${tiles.map(([label, value, note]) => html`<div><dt>${label}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`)}
</dl>`

/** A slider through rounds; arrow keys move it, and the address keeps where it is. */
export function RoundSlider({ rounds, round, onChange }) {
  if (rounds.length === 0) return null
  const at = Math.max(0, rounds.indexOf(round))
  return html`<label class="slider">Round <b>${round}</b>
    <input type="range" min="0" max=${rounds.length - 1} value=${at} aria-valuetext=${`round ${round}`}
      onInput=${(event) => onChange(rounds[Number(event.target.value)])} disabled=${rounds.length < 2} />
    <span>of ${rounds.at(-1)}</span>
  </label>`
}
