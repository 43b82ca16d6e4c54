import { useEffect, useState } from 'preact/hooks'
import { integer, percent } from './format.js'
import { ChangeButton, Failure, html, useAnswer } from './html.js'
import { hashOf } from './route.js'
import { ask, state } from './store.js'

const exampleChanges = '{ "update": "additive", "actors": { "ACTOR": { "eta": 0.1 } } }'

/** Refolds a recorded run: the same, to check it, or with other hyperparameters. */
export function Replay({ names, settings }) {
  const recorded = names.filter((name) => state.runs.get(name).info.kind !== 'replay')
  const [of, setOf] = useState(settings.a ?? recorded[0])
  const [changes, setChanges] = useState('')
  const [problem, setProblem] = useState()
  const [asked, setAsked] = useState(0)
  const { value: replays } = useAnswer('/api/replays', asked)
  const running = replays?.some(({ state: now }) => now === 'running')
  useEffect(() => {
    if (!running) return
    const soon = setTimeout(() => setAsked((n) => n + 1), 500)
    return () => clearTimeout(soon)
  }, [running, asked, replays])
  const start = async (event) => {
    event.preventDefault()
    try {
      const wanted = changes.trim() === '' ? {} : JSON.parse(changes)
      await ask(`/api/runs/${encodeURIComponent(of)}/replays`, { changes: wanted })
      setProblem(undefined)
    } catch (error) {
      setProblem(error instanceof SyntaxError ? `The changes are not JSON: ${error.message}` : error.message)
    }
    setAsked((n) => n + 1)
  }
  return html`<section class="card replay"><h3>Replay</h3>
    <p class="note">Refolds the recorded rewards of a run from the log, under a new name. Without changes every round must be the same to the bit; with other hyperparameters it is an experiment. Allowed changes: update, rewardTransform, normalize, collaboration, firstSelection, unrewarded, repetitionDecay, repeat, budget, and eta, initialWeights and initialTheta of actors. To remove a replay: <code>winnow run delete NAME</code>.</p>
    <form onSubmit=${start}>
      <label>Run <select value=${of} onChange=${(event) => setOf(event.target.value)}>${recorded.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
      <label class="grow">Changes, as JSON; none: an exact replay <textarea rows="2" placeholder=${exampleChanges} value=${changes} onInput=${(event) => setChanges(event.target.value)}></textarea></label>
      <${ChangeButton} type="submit" class="primary">Start replay<//>
    </form>
    <${Failure} error=${problem} />
    ${(replays ?? []).map(
      (
        one,
      ) => html`<div class="replayed" key=${one.name}><h4>${one.name} <span class=${`verdict ${one.state === 'failed' ? 'no' : 'yes'}`}>${one.state}</span> ${one.state === 'done' && html`<a href=${hashOf('runs', { a: one.of, b: one.name })}>compare</a>`}</h4><${Failure} error=${one.error} />
      <ol start="0">${one.rounds.map((round) => html`<li>${round.same ? html`<span class="verdict yes">the same to the bit</span> ${integer(round.documents[0])} documents` : html`<span class=${`verdict ${one.changed ? '' : 'no'}`}>${percent(round.common / Math.max(1, round.documents[0]))} in common</span> <span class="note">first difference: ${round.firstDifference}</span>`}</li>`)}</ol></div>`,
    )}
  </section>`
}
