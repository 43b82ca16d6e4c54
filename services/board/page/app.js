import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { html, Loading, Missing, RunState } from './html.js'
import { closed, hashOf, readRoute, set } from './route.js'
import { listen, runOf, state, subscribe } from './store.js'

/** Each loads its module when first shown, so that the first view does not wait for the others. */
const views = [
  { name: 'dataflow', title: 'Dataflow', load: async () => (await import('./dataflow.js')).Dataflow, ofRun: true },
  { name: 'actors', title: 'Actors', load: async () => (await import('./actors.js')).Actors, ofRun: true },
  { name: 'selection', title: 'Selection', load: async () => (await import('./selection.js')).Selection, ofRun: true },
  { name: 'training', title: 'Training', load: async () => (await import('./training.js')).Training },
  { name: 'documents', title: 'Documents', load: async () => (await import('./documents.js')).Documents, ofRun: true },
  { name: 'dead-letters', title: 'Dead letters', load: async () => (await import('./dead-letters.js')).DeadLetters },
  { name: 'runs', title: 'Runs', load: async () => (await import('./runs.js')).Runs },
]
/** Views by name, once they are loaded. */
const loaded = new Map()
const themes = ['system', 'light', 'dark']

function App() {
  const [, draw] = useState(0)
  const [theme, setTheme] = useState(localStorage.getItem('theme') ?? 'system')
  const [help, setHelp] = useState(false)
  useEffect(() => {
    let asked = false
    // However many changes arrive, the page is drawn once per frame.
    const redraw = () => {
      if (asked) return
      asked = true
      requestAnimationFrame(() => {
        asked = false
        draw((n) => n + 1)
      })
    }
    const unsubscribe = subscribe(redraw)
    addEventListener('hashchange', redraw)
    // Changes between the first drawing and this.
    redraw()
    return () => {
      unsubscribe()
      removeEventListener('hashchange', redraw)
    }
  }, [])
  useEffect(() => {
    document.documentElement.dataset.theme = theme
    localStorage.setItem('theme', theme)
  }, [theme])
  const nextTheme = () => setTheme((now) => themes[(themes.indexOf(now) + 1) % themes.length])
  useEffect(() => {
    const onKey = (event) => {
      // An open dialog gets the keys.
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return
      if (event.target.closest('input, textarea, select')) {
        if (event.key === 'Escape') event.target.blur()
        return
      }
      const chosen = views[Number(event.key) - 1]
      if (chosen) location.hash = hashOf(chosen.name, keptSettings(chosen))
      else if (event.key === 't') nextTheme()
      else if (event.key === '?') setHelp(true)
      else if (event.key === 'Escape') closed()
      else if (event.key === '/') {
        location.hash = hashOf('documents', keptSettings(views[4]))
        focusSearch()
      } else return
      event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  const { view: name, settings } = readRoute()
  const current = views.find((one) => one.name === name)
  const run = runOf(settings.run)
  const isMissing = current?.ofRun && settings.run !== undefined && run === undefined
  const unreadable = state.unreadable.find((one) => one.run === settings.run)
  const title = [current?.title ?? 'Not found', current?.ofRun && (settings.run ?? run?.info.name), 'winnow']
  useEffect(() => {
    document.title = title.filter(Boolean).join(' · ')
  }, [title.join()])
  useEffect(() => {
    if (current === undefined || loaded.has(current.name)) return
    current.load().then((view) => {
      loaded.set(current.name, view)
      draw((n) => n + 1)
    })
  }, [current])
  const View = loaded.get(current?.name)
  const shown = () => {
    if (current === undefined)
      return html`<${Missing} what=${`There is no view ${name}.`} instead="Views:" links=${views.map((one) => [one.title, hashOf(one.name, {})])} />`
    if (isMissing)
      return html`<${Missing} what=${unreadable?.why ?? `There is no run ${settings.run} on this board.`} instead=${unreadable ? `${unreadable.hint} Runs:` : state.runs.size > 0 ? 'It may be archived, deleted, or older than the 16 latest. Runs:' : 'No run is recorded yet.'} links=${[...state.runs.keys()].map((one) => [one, hashOf(current.name, { run: one })])} />`
    if (View === undefined) return html`<${Loading} what="the view" />`
    return html`<${View} run=${run} settings=${settings} theme=${theme} />`
  }
  return html`
    <header>
      <a class="brand" href="#/dataflow"><img src="/page/icon.svg" alt="" width="22" height="22" />winnow</a>
      <nav aria-label="Views">
        ${views.map(
          (one, i) => html`<a href=${hashOf(one.name, keptSettings(one))} title=${`key ${i + 1}`}
          aria-current=${one === current ? 'page' : undefined}>${one.title}${one.name === 'dead-letters' && state.deadLetters?.total > 0 ? html`<b class="count">${state.deadLetters.total}</b>` : ''}</a>`,
        )}
      </nav>
      <span class="right">
        ${
          current?.ofRun &&
          state.runs.size > 0 &&
          html`<label class="run">Run <select value=${run?.info.name ?? ''} onChange=${(event) => set({ run: event.target.value, round: undefined })}>
          ${isMissing && html`<option value="">${settings.run}: not there</option>`}
          ${[...state.runs.values()].map(({ info }) => html`<option value=${info.name}>${info.name}${info.kind === 'run' ? '' : ` (${info.kind})`}</option>`)}
        </select></label>${run && html`<${RunState} status=${run.status} />`}`
        }
        <span class=${`live ${liveness()}`} role="status" title=${state.problem ?? ''}>${liveness()}</span>
        <button type="button" onClick=${nextTheme} title="key t">${theme}</button>
        <button type="button" onClick=${() => setHelp(true)} aria-label="Keyboard" title="key ?">?</button>
      </span>
    </header>
    ${state.problem && html`<p class="problem" role="alert">The board cannot read: ${state.problem}</p>`}
    ${current?.ofRun && run?.status?.waitsFor && html`<p class="told waits">${run.info.name} is ${run.status.state}: waiting for ${run.status.waitsFor}.</p>`}
    <main>${state.arrived ? shown() : html`<p class="empty loading" role="status">reading the log …</p>`}</main>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}`
}

/** As soon as the view is there: it may have to be loaded first. */
function focusSearch(tries = 60) {
  const input = document.querySelector('input[type=search]')
  if (input) input.focus()
  else if (tries > 0) setTimeout(() => focusSearch(tries - 1), 50)
}

/** The run stays the same from view to view. */
const keptSettings = ({ ofRun }) => (ofRun ? { run: readRoute().settings.run } : {})

const liveness = () => (!state.connected ? 'reconnecting' : state.problem ? 'stale' : 'live')

/** A modal dialog: the browser traps and restores the focus, and closes it on Escape. */
function Help({ close }) {
  const dialog = useRef(null)
  useEffect(() => dialog.current.showModal(), [])
  const outside = (event) => event.target === dialog.current && close()
  return html`<dialog ref=${dialog} aria-label="Keyboard" onClose=${close} onClick=${outside}><div class="inside">
    <h2>Keyboard</h2>
    <dl>${[
      ['1 – 7', 'views'],
      ['/', 'search documents'],
      ['← →', 'rounds, on a slider'],
      ['t', 'light, dark, or as the system'],
      ['Tab, Enter', 'stations and topics of the dataflow, rows of tables'],
      ['Esc', 'closes what is open: this, a topic, a station, a document, a dead letter'],
      ['?', 'this help'],
    ].map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
    <button type="button" onClick=${close}>Close</button>
  </div></dialog>`
}

listen()
render(html`<${App} />`, document.getElementById('app'))
