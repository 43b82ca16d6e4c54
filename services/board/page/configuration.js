import { useState } from 'preact/hooks'
import { date } from './format.js'
import { Failure, html, Loading, Scroll, useAnswer } from './html.js'

/** A setting as in run.yaml; a dash if not set. */
const shown = (value) => (value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value))

/** The configurations of two runs: their differences, or all settings. */
export function Configuration({ a, b }) {
  const [whole, setWhole] = useState(false)
  const {
    value: differences,
    error,
    waiting,
  } = useAnswer(a !== b && `/api/differences?${new URLSearchParams({ a, b })}`)
  return html`<section class="card configuration"><div class="head"><h3>Configuration</h3><span class="tools"><button type="button" aria-pressed=${whole} onClick=${() => setWhole(!whole)}>all settings of ${a}</button></span></div>
    <${Failure} error=${error} />
    ${a === b ? html`<p class="empty">Choose two runs to see where they differ.</p>` : (!differences || waiting) && !error ? html`<${Loading} what="the configurations" />` : differences?.length === 0 && html`<p class="empty">${a} and ${b} have the same configuration, except for their names.</p>`}
    ${
      a !== b &&
      differences?.length > 0 &&
      !waiting &&
      html`<${Scroll}><table class="differences"><thead><tr><th>setting</th><th>${a}</th><th>${b}</th></tr></thead>
    <tbody>${differences.map(({ key, here, there }) => html`<tr><td><code>${key}</code></td><td>${shown(here)}</td><td>${shown(there)}</td></tr>`)}</tbody></table><//>`
    }
    ${whole && html`<${Settings} run=${a} />`}
  </section>`
}

function Settings({ run }) {
  const { value, error, waiting } = useAnswer(`/api/runs/${encodeURIComponent(run)}/configuration`)
  if (error) return html`<${Failure} error=${error} />`
  if (!value || waiting) return html`<${Loading} what="the configuration" />`
  const { life, kind, recordedMs, selectionVersion, settings } = value
  return html`<p class="note">${kind}, ${life}, recorded ${date(recordedMs)}, selection version ${selectionVersion}</p>
    <${Scroll}><table class="whole"><thead><tr><th>setting</th><th>${run}</th></tr></thead>
    <tbody>${settings.map(({ key, value: is }) => html`<tr><td><code>${key}</code></td><td>${shown(is)}</td></tr>`)}</tbody></table><//>`
}
