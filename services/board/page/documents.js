import { useEffect, useState } from 'preact/hooks'
import { fixed, integer } from './format.js'
import { Failure, html, Loading, Scroll, useAnswer } from './html.js'
import { hasActorScores, rankName } from './reading.js'
import { hashOf, set } from './route.js'

const kinds = [
  ['any', 'anywhere'],
  ['id', 'id'],
  ['source', 'source file'],
  ['text', 'text and metadata'],
]
const pageSize = 30
const labelKey = (actor) => `label.${actor}`

/** The query in the address; undefined: nothing yet. */
function questionOf({ q = '', by = 'any', page = '1', round, ...settings }, info) {
  const labels = (info?.actors ?? []).flatMap(({ name }) => {
    const chosen = settings[labelKey(name)]
    return chosen ? [['label', `${name}/${chosen}`]] : []
  })
  if (q === '' && labels.length === 0 && !round) return undefined
  const ofRun =
    info && (labels.length > 0 || round) ? [['run', info.name], ...labels, ...(round ? [['round', round]] : [])] : []
  const offset = (Math.max(1, Number(page) || 1) - 1) * pageSize
  return new URLSearchParams([['q', q], ['by', by], ['offset', offset], ['count', pageSize], ...ofRun])
}

/** Finds documents, shows one, and says why each round did or did not select it. */
export function Documents({ run, settings }) {
  const { q = '', by = 'any', id } = settings
  const [typed, setTyped] = useState(q)
  useEffect(() => setTyped(q), [q])
  useEffect(() => {
    if (typed === q) return
    const soon = setTimeout(() => set({ q: typed || undefined, page: undefined }, { replace: true }), 250)
    return () => clearTimeout(soon)
  }, [typed, q])
  const question = questionOf(settings, run?.info)
  const { value: found, error, waiting } = useAnswer(question && `/api/documents?${question}`)
  return html`
    <form class="search" role="search" onSubmit=${(event) => {
      event.preventDefault()
      set({ q: typed || undefined, page: undefined })
    }}>
      <input type="search" placeholder="An id, or words (all must occur)" aria-label="Find documents" value=${typed} onInput=${(event) => setTyped(event.target.value)} />
      <select aria-label="Search in" value=${by} onChange=${(event) => set({ by: event.target.value, page: undefined })}>${kinds.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select>
    </form>
    ${run && html`<${Filters} run=${run} settings=${settings} />`}
    <${Failure} error=${error} />
    <div class=${id ? 'split' : ''}>
      ${question && !error && html`<${Results} found=${found} waiting=${waiting} settings=${settings} run=${run} words=${q} />`}
      ${id && (run ? html`<${Explained} run=${run} id=${id} words=${q} />` : html`<p class="empty">No run is recorded yet.</p>`)}
    </div>
    ${!question && !id && html`<${Excluded} />`}
    ${!question && !id && html`<p class="empty">Search above, or press <kbd>/</kbd> anywhere. Words are searched in texts, metadata and names of source files; "quoted words" must be adjacent. A document shows for every round why it was or was not selected.</p>`}`
}

/** What takes documents out of selections, with who and why; nothing where nothing does. */
function Excluded() {
  const { value } = useAnswer('/api/exclusions')
  if (!value || value.length === 0) return null
  return html`<section class="card"><h3>Excluded from selections</h3>
    <${Scroll}><table><thead><tr><th>list</th><th>why</th><th class="n">documents</th><th>by</th><th>last</th></tr></thead>
    <tbody>${value.map(({ list, reason, documents, by, lastMs }) => html`<tr><td>${list}</td><td>${reason}</td><td class="n">${integer(documents)}</td><td>${by.join(', ')}</td><td>${new Date(lastMs).toLocaleString()}</td></tr>`)}</tbody></table><//>
  </section>`
}

/** Labels by the run's actors, and the rounds that have selected. */
function Filters({ run: { info, rounds }, settings }) {
  const selected = rounds.filter(({ manifest }) => manifest).map(({ round }) => round)
  const filter = (key) => (event) => set({ [key]: event.target.value || undefined, page: undefined })
  const keys = [...info.actors.map(({ name }) => labelKey(name)), 'round']
  const none = Object.fromEntries(keys.map((key) => [key, undefined]))
  return html`<div class="bar filters">
    ${info.actors.map(
      ({
        name,
        subcategories,
      }) => html`<label>${name} <select value=${settings[labelKey(name)] ?? ''} onChange=${filter(labelKey(name))}><option value="">all</option>
      ${subcategories.map((one) => html`<option value=${one}>${one}</option>`)}</select></label>`,
    )}
    <label>selected in <select value=${settings.round ?? ''} onChange=${filter('round')}><option value="">any round or none</option>
      ${settings.round && !selected.some((one) => `${one}` === settings.round) && html`<option value=${settings.round}>round ${settings.round}</option>`}
      ${selected.map((one) => html`<option value=${one}>round ${one}</option>`)}</select></label>
    ${keys.some((key) => settings[key]) && html`<button type="button" onClick=${() => set({ ...none, page: undefined })}>no filters</button>`}
  </div>`
}

function Results({ found, waiting, settings, run, words }) {
  if (!found || waiting) return html`<section class="card results"><h3 role="status">searching …</h3></section>`
  const { total, complete, offset, documents } = found
  const many = `${complete ? '' : 'at least '}${integer(total)} found`
  const page = Math.floor(offset / pageSize) + 1
  const turn = (to, label, is) =>
    html`<button type="button" disabled=${!is} onClick=${() => set({ page: to === 1 ? undefined : to })}>${label}</button>`
  return html`<section class="card results"><h3 role="status">${many}</h3>
    ${total === 0 && html`<p class="empty">No document has ${words ? 'all of this' : 'these labels'}${complete ? '' : ', as far as the search got in its time'}.</p>`}
    ${total > documents.length && documents.length > 0 && html`<div class="pages">${turn(page - 1, '← back', page > 1)}<span class="note">${integer(offset + 1)} to ${integer(offset + documents.length)}</span>${turn(page + 1, 'on →', offset + documents.length < total)}</div>`}
    <ul class="documents">${documents.map(
      ({
        doc,
        source,
        row,
        tokens,
        snippet,
      }) => html`<li class=${doc === settings.id ? 'chosen' : ''}><a href=${hashOf('documents', { ...settings, run: run?.info.name, id: doc })}><code>${doc}</code></a>
      <span class="note">${source ? html`<a href=${hashOf('documents', { run: run?.info.name, by: 'source', q: source })}>${source}</a>` : 'unknown source'}, row ${integer(row)} · ${integer(tokens)} tokens</span><p>${marked(snippet, words)}</p></li>`,
    )}</ul></section>`
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** The text with every search term marked; terms are split as on the server. */
function marked(text, words) {
  const terms = [...words.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, word]) => (quoted ?? word).trim())
  if (terms.length === 0) return text
  const pattern = new RegExp(`(${terms.map(escaped).join('|')})`, 'giu')
  return text.split(pattern).map((part, i) => (i % 2 === 1 ? html`<mark>${part}</mark>` : part))
}

function Explained({ run, id, words }) {
  const { info, rounds } = run
  const { value, error, waiting } = useAnswer(
    `/api/runs/${encodeURIComponent(info.name)}/documents/${encodeURIComponent(id)}`,
    rounds.filter(({ manifest }) => manifest).length,
  )
  if (error && !waiting) return html`<${Failure} error=${error} />`
  if (!value || waiting) return html`<${Loading} what="the document" />`
  const { document, explanations } = value
  const scored = hasActorScores(info)
  return html`<section class="card document">
    <div class="head"><h3>Document <code>${id}</code></h3><button type="button" onClick=${() => set({ id: undefined })} aria-label="Close document">Close</button></div>
    <p class="note">${integer(document.tokens)} tokens · partition ${document.partition} · <code>${document.meta}</code></p>
    ${
      document.labels
        ? html`<dl class="labels">${info.actors.map(({ name, subcategories }, a) => {
            const label = subcategories[document.labels[a].subcategory]
            return html`<div><dt>${name}</dt><dd><a href=${hashOf('documents', { run: info.name, [labelKey(name)]: label })}>${label}</a> <small>${fixed(document.labels[a].score, 3)}</small></dd></div>`
          })}</dl>`
        : html`<p class="note">not labelled by every actor yet</p>`
    }
    <h4>Why it was or was not selected by ${info.name}</h4>
    ${
      explanations.length === 0
        ? html`<p class="empty">no round has selected yet</p>`
        : html`<${Scroll} tall><table class="explanations"><thead><tr><th class="n">round</th><th>verdict</th><th class="n">${rankName(info)}</th><th class="n">threshold</th>${scored && html`<th>theta × weight</th>`}<th>what would change it</th></tr></thead>
      <tbody>${explanations.map(
        (
          one,
        ) => html`<tr><td class="n"><a href=${hashOf('selection', { run: info.name, round: one.round })}>${one.round}</a></td><td><span class=${`verdict ${one.verdict === 'selected' ? 'yes' : 'no'}`}>${one.verdict}</span></td><td class="n">${fixed(one.score, 5)}</td><td class="n">${fixed(one.threshold, 5)}</td>
        ${scored && html`<td class="parts">${one.contributions.map(({ actor, subcategory, theta, weight }) => html`<div>${actor} ${subcategory} <span>${fixed(theta, 3)} × ${fixed(weight, 4)}</span></div>`)}</td>`}<td class="flip">${one.flip}</td></tr>`,
      )}</tbody></table><//>`
    }
    <h4>Text</h4>
    <pre class="text">${marked(document.text, words)}</pre>
  </section>`
}
