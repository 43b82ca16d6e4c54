import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Actors } from './actors.js'
import { Dataflow } from './dataflow.js'
import { DeadLetters } from './dead-letters.js'
import { Documents } from './documents.js'
import { html } from './html.js'
import { hashOf, readRoute, set } from './route.js'
import { Runs } from './runs.js'
import { Selection } from './selection.js'
import { listen, runOf, state, subscribe } from './store.js'
import { Training } from './training.js'

const views = [
  { name: 'dataflow', title: 'Dataflow', view: Dataflow, ofRun: true },
  { name: 'actors', title: 'Actors', view: Actors, ofRun: true },
  { name: 'selection', title: 'Selection', view: Selection, ofRun: true },
  { name: 'training', title: 'Training', view: Training },
  { name: 'documents', title: 'Documents', view: Documents, ofRun: true },
  { name: 'dead-letters', title: 'Dead letters', view: DeadLetters },
  { name: 'runs', title: 'Runs', view: Runs },
]
const themes = ['system', 'light', 'dark']

function App() {
  const [, draw] = useState(0)
  const [theme, setTheme] = useState(localStorage.getItem('theme') ?? 'system')
  const [help, setHelp] = useState(false)
  useEffect(() => {
    let asked = false
    // However many changes come, the page is drawn once a frame.
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
    // What came between the first drawing and this.
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
      if (event.ctrlKey || event.metaKey || event.altKey) return
      if (event.target.closest('input, textarea, select')) {
        if (event.key === 'Escape') event.target.blur()
        return
      }
      const chosen = views[Number(event.key) - 1]
      if (chosen) location.hash = hashOf(chosen.name, keptSettings(chosen))
      else if (event.key === 't') nextTheme()
      else if (event.key === '?') setHelp((shown) => !shown)
      else if (event.key === 'Escape') setHelp(false)
      else if (event.key === '/') {
        location.hash = hashOf('documents', keptSettings(views[4]))
        setTimeout(() => document.querySelector('input[type=search]')?.focus(), 50)
      } else return
      event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])

  const { view: name, settings } = readRoute()
  const current = views.find((one) => one.name === name) ?? views[0]
  const run = runOf(settings.run)
  useEffect(() => {
    document.title = `${current.title} · winnow`
  }, [current])
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
          current.ofRun &&
          state.runs.size > 0 &&
          html`<label class="run">Run <select value=${run?.info.name} onChange=${(event) => set({ run: event.target.value, round: undefined })}>
          ${[...state.runs.keys()].map((one) => html`<option value=${one}>${one}</option>`)}
        </select></label>`
        }
        <span class=${`live ${liveness()}`} role="status" title=${state.problem ?? ''}>${liveness()}</span>
        <button type="button" onClick=${nextTheme} title="key t">${theme}</button>
        <button type="button" onClick=${() => setHelp(true)} aria-label="Keyboard" title="key ?">?</button>
      </span>
    </header>
    ${state.problem && html`<p class="problem" role="alert">The board cannot read: ${state.problem}</p>`}
    <main>${state.arrived ? html`<${current.view} run=${run} settings=${settings} theme=${theme} />` : html`<p class="empty">reading the log …</p>`}</main>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}`
}

/** The run stays the same from view to view. */
const keptSettings = ({ ofRun }) => (ofRun ? { run: readRoute().settings.run } : {})

const liveness = () => (!state.connected ? 'reconnecting' : state.problem ? 'stale' : 'live')

const Help = ({
  close,
}) => html`<div class="overlay" onClick=${close}><div class="card" role="dialog" aria-label="Keyboard" onClick=${(event) => event.stopPropagation()}>
  <h2>Keyboard</h2>
  <dl>${[
    ['1 – 7', 'views'],
    ['/', 'search documents'],
    ['← →', 'rounds, on a slider'],
    ['t', 'light, dark, or as the system'],
    ['Tab, Enter', 'topics of the dataflow, rows of tables'],
    ['?, Esc', 'this help'],
  ].map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}</dl>
  <button type="button" onClick=${close}>Close</button>
</div></div>`

listen()
render(html`<${App} />`, document.getElementById('app'))
