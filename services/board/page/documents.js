import { useEffect, useState } from 'preact/hooks'
import { fixed, integer } from './format.js'
import { Failure, html, useAnswer } from './html.js'
import { hashOf, set } from './route.js'

const kinds = [
  ['any', 'id or text'],
  ['id', 'id'],
  ['source', 'source file'],
  ['text', 'text'],
]

/** Finds documents, shows one, and says why each round selected it or did not. */
export function Documents({ run, settings }) {
  const { q = '', by = 'any', id } = settings
  const [typed, setTyped] = useState(q)
  useEffect(() => setTyped(q), [q])
  useEffect(() => {
    if (typed === q) return
    const soon = setTimeout(() => set({ q: typed || undefined }, { replace: true }), 250)
    return () => clearTimeout(soon)
  }, [typed, q])
  const { value: found, error, waiting } = useAnswer(q ? `/api/documents?${new URLSearchParams({ q, by })}` : undefined)
  return html`
    <form class="search" role="search" onSubmit=${(event) => {
      event.preventDefault()
      set({ q: typed || undefined })
    }}>
      <input type="search" placeholder="Find documents: an id, words of the text, a source" aria-label="Find documents" value=${typed} onInput=${(event) => setTyped(event.target.value)} />
      <select aria-label="Search in" value=${by} onChange=${(event) => set({ by: event.target.value })}>${kinds.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select>
    </form>
    <${Failure} error=${error} />
    <div class=${id ? 'split' : ''}>
      ${
        q &&
        html`<section class="card results"><h3>${waiting ? 'searching …' : `${found?.length ?? 0} found${found?.length === 30 ? ', the first ones' : ''}`}</h3>
        <ul class="documents">${(found ?? []).map(
          ({
            doc,
            source,
            row,
            tokens,
            snippet,
          }) => html`<li class=${doc === id ? 'chosen' : ''}><a href=${hashOf('documents', { ...settings, run: run?.info.name, id: doc })}><code>${doc}</code></a>
          <span class="note">${source ?? 'unknown source'}, row ${integer(row)} · ${integer(tokens)} tokens</span><p>${marked(snippet, q)}</p></li>`,
        )}</ul></section>`
      }
      ${id && (run ? html`<${Explained} run=${run} id=${id} words=${q} />` : html`<p class="empty">No run is recorded yet.</p>`)}
    </div>
    ${!q && !id && html`<p class="empty">Search above, or press <kbd>/</kbd> anywhere. A document says for every round why it was or was not selected.</p>`}`
}

function marked(text, words) {
  const at = text.toLowerCase().indexOf(words.toLowerCase())
  return words === '' || at === -1
    ? text
    : html`${text.slice(0, at)}<mark>${text.slice(at, at + words.length)}</mark>${text.slice(at + words.length)}`
}

function Explained({ run, id, words }) {
  const { info, rounds } = run
  const { value, error } = useAnswer(
    `/api/runs/${encodeURIComponent(info.name)}/documents/${id}`,
    rounds.filter(({ manifest }) => manifest).length,
  )
  if (error) return html`<${Failure} error=${error} />`
  if (!value) return html`<p class="empty">reading …</p>`
  const { document, explanations } = value
  return html`<section class="card document">
    <div class="head"><h3>Document <code>${id}</code></h3><button type="button" onClick=${() => set({ id: undefined })} aria-label="Close document">Close</button></div>
    <p class="note">${integer(document.tokens)} tokens · partition ${document.partition} · <code>${document.meta}</code></p>
    ${document.labels ? html`<dl class="labels">${info.actors.map(({ name, subcategories }, a) => html`<div><dt>${name}</dt><dd>${subcategories[document.labels[a].subcategory]} <small>${fixed(document.labels[a].score, 3)}</small></dd></div>`)}</dl>` : html`<p class="note">not labelled by every actor yet</p>`}
    <h4>Why it was or was not selected by ${info.name}</h4>
    ${
      explanations.length === 0
        ? html`<p class="empty">no round has selected yet</p>`
        : html`<div class="sideways"><table class="explanations"><thead><tr><th class="n">round</th><th>verdict</th><th class="n">score</th><th class="n">threshold</th><th>theta × weight</th><th>what would turn it</th></tr></thead>
      <tbody>${explanations.map(
        (
          one,
        ) => html`<tr><td class="n">${one.round}</td><td><span class=${`verdict ${one.verdict === 'selected' ? 'yes' : 'no'}`}>${one.verdict}</span></td><td class="n">${fixed(one.score, 5)}</td><td class="n">${fixed(one.threshold, 5)}</td>
        <td class="parts">${one.contributions.map(({ actor, subcategory, theta, weight }) => html`<div>${actor} ${subcategory} <span>${fixed(theta, 3)} × ${fixed(weight, 4)}</span></div>`)}</td><td class="flip">${one.flip}</td></tr>`,
      )}</tbody></table></div>`
    }
    <h4>Text</h4>
    <pre class="text">${marked(document.text, words)}</pre>
  </section>`
}
