import htm from 'htm'
import { h } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { hashOf } from './route.js'
import { ask, state } from './store.js'

/** JSX without a compiler: html`<p>${text}</p>`. */
export const html = htm.bind(h)

/**
 * The board's answer to a path, fetched again when the path or `version` changes; the old one stays until the new one has arrived.
 * @param path undefined: nothing is fetched
 */
export function useAnswer(path, version) {
  const [answer, setAnswer] = useState({ path: undefined, value: undefined, error: undefined })
  useEffect(() => {
    if (!path) return
    let current = true
    ask(path).then(
      (value) => current && setAnswer({ path, value, error: undefined }),
      (error) => current && setAnswer({ path, value: undefined, error: error.message }),
    )
    return () => {
      current = false
    }
  }, [path, version])
  if (!path) return { value: undefined, error: undefined, waiting: false }
  return { ...answer, waiting: answer.path !== path }
}

/** A button for what changes something. To a visitor who may not it is shown and does nothing, beside the reason. */
export const ChangeButton = ({
  children,
  ...rest
}) => html`<button ...${rest} disabled=${state.changesNothing !== null || rest.disabled}>${children}</button>
  ${state.changesNothing && html`<span class="note">${state.changesNothing}</span>`}`

export const Failure = ({ error }) => error && html`<p class="problem" role="alert">${error}</p>`
export const Loading = ({ what }) => html`<p class="empty loading" role="status">reading ${what} …</p>`

/** Says that what the address names does not exist, with links to what does: [[name, address], ...]. */
export const Missing = ({ what, instead, links }) => html`<section class="card missing" role="alert"><h3>${what}</h3>
  ${links.length > 0 ? html`<p>${instead} ${links.map(([name, href]) => html`<a href=${href}>${name}</a> `)}</p>` : html`<p>${instead}</p>`}
</section>`

/** What was chosen in the dataflow, over the whole width; its children are shown once the answer is there. */
export const Panel = ({ title, what, close, error, waiting, children }) => html`<section class="card panel">
  <div class="head"><h3>${title}</h3><button type="button" onClick=${close} aria-label=${`Close ${what}`}>Close</button></div>
  <${Failure} error=${error} />
  ${waiting ? html`<${Loading} what=${`the ${what}`} />` : children}
</section>`

export const Tiles = ({ tiles }) => html`<dl class="tiles">
  ${tiles.map(([label, value, note]) => html`<div><dt>${label}</dt><dd>${value}${note && html`<small>${note}</small>`}</dd></div>`)}
</dl>`

/** A scrolling box that says if there is more below or to the right. */
export function Scroll({ children, tall }) {
  const box = useRef(null)
  const [more, setMore] = useState('')
  useEffect(() => {
    const look = () => {
      // An observer may fire once more after the box is gone.
      if (box.current === null) return
      const { scrollHeight, clientHeight, scrollTop, scrollWidth, clientWidth, scrollLeft } = box.current
      const below = scrollHeight - clientHeight - scrollTop > 4 ? 'below' : ''
      setMore(`${below} ${scrollWidth - clientWidth - scrollLeft > 4 ? 'right' : ''}`.trim())
    }
    const observer = new ResizeObserver(look)
    observer.observe(box.current)
    for (const child of box.current.children) observer.observe(child)
    box.current.addEventListener('scroll', look, { passive: true })
    return () => observer.disconnect()
  }, [])
  const where = more.split(' ').filter(Boolean)
  return html`<div class=${['scrollbox', ...where.map((side) => `more-${side}`)].join(' ')}><div class=${tall ? 'sideways' : 'scroll'} ref=${box} tabindex=${where.length > 0 ? 0 : undefined} role=${where.length > 0 ? 'group' : undefined} aria-label=${where.length > 0 ? 'scrolls' : undefined}>${children}</div>
    ${where.length > 0 && html`<p class="more">more ${where.map((side) => (side === 'below' ? 'below ↓' : 'to the right →')).join(', ')}</p>`}</div>`
}

/** A slider through rounds; arrow keys move it, and the address stores its position. */
export function RoundSlider({ rounds, round, onChange }) {
  if (rounds.length === 0) return null
  const at = Math.max(0, rounds.indexOf(round))
  return html`<label class="slider">Round <b>${round}</b>
    <input type="range" min="0" max=${rounds.length - 1} value=${at} aria-valuetext=${`round ${round}`}
      onInput=${(event) => onChange(rounds[Number(event.target.value)])} disabled=${rounds.length < 2} />
    <span>of ${rounds.at(-1)}</span>
  </label>`
}

export const DocumentLink = ({ id, run }) => html`<a href=${hashOf('documents', { run, id })}><code>${id}</code></a>`
export const StationLink = ({ name, run }) => html`<a href=${hashOf('dataflow', { run, station: name })}>${name}</a>`

/** A run's kind and state. */
export const RunState = ({ status }) =>
  status
    ? html`<span class=${`state ${status.state.replaceAll(' ', '-')}`} title=${status.waitsFor ? `waits for ${status.waitsFor}` : undefined}>${status.state}</span>`
    : html`<span class="state">…</span>`
