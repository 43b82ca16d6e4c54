import { useEffect, useState } from 'preact/hooks'
import { Figure } from './figure.js'
import { fixed, integer, percent, short } from './format.js'
import { Failure, html, RoundSlider, useAnswer } from './html.js'
import { centred, namedLines } from './lines.js'
import { hashOf, set } from './route.js'
import { ask, state } from './store.js'

const exampleChanges = '{ "update": "additive" }'

/** Two runs side by side, and replays of recorded ones. */
export function Runs({ settings, theme }) {
  const names = [...state.runs.keys()]
  if (names.length === 0) return html`<p class="empty">No run is recorded yet.</p>`
  const a = state.runs.get(settings.a) ?? state.runs.get(names[0])
  const b = state.runs.get(settings.b) ?? state.runs.get(names.find((name) => name !== a.info.name)) ?? a
  return html`
    <section class="card"><h3>Runs</h3><div class="scroll"><table class="runs"><thead><tr><th>run</th><th>replay of</th><th>update</th><th>collaboration</th><th class="n">rounds</th><th class="n">step</th><th class="n">reference loss</th><th class="n">loss on other text</th><th></th></tr></thead>
      <tbody>${[...state.runs.values()].map(
        ({
          info,
          rounds,
          progress,
        }) => html`<tr><td><a href=${hashOf('actors', { run: info.name })}>${info.name}</a></td><td>${info.replayOf ?? ''}</td><td>${info.update}</td><td>${info.collaboration}</td><td class="n">${rounds.filter(({ manifest }) => manifest).length}</td><td class="n">${progress.length === 0 ? '–' : `${integer(progress.at(-1).step)} / ${integer(info.steps)}`}</td>
        <td class="n">${fixed(progress.findLast(({ referenceLoss }) => referenceLoss !== null)?.referenceLoss, 4)}</td><td class="n">${fixed(progress.findLast(({ corpusLoss }) => corpusLoss !== null)?.corpusLoss, 4)}</td><td>${info.name === a.info.name ? 'A' : info.name === b.info.name ? 'B' : ''}</td></tr>`,
      )}</tbody></table></div></section>
    <div class="bar"><${Picker} label="A" names=${names} value=${a.info.name} onChange=${(name) => set({ a: name })} /><${Picker} label="B" names=${names} value=${b.info.name} onChange=${(name) => set({ b: name })} /></div>
    <${Compared} a=${a} b=${b} theme=${theme} settings=${settings} />
    <${Replay} names=${names} settings=${settings} />`
}

const Picker = ({ label, names, value, onChange }) =>
  html`<label>Run ${label} <select value=${value} onChange=${(event) => onChange(event.target.value)}>${names.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>`

function Compared({ a, b, theme, settings }) {
  const both = a === b ? [a] : [a, b]
  const title = both.map(({ info }) => info.name).join(' and ')
  const name = both.map(({ info }) => info.name).join('-')
  const isB = (series) => a !== b && series.startsWith(`${b.info.name} `)
  const selected = Math.min(...both.map(({ rounds }) => rounds.filter(({ manifest }) => manifest).length))
  const { value: overlaps, error } = useAnswer(
    a !== b && `/api/overlap?${new URLSearchParams({ a: a.info.name, b: b.info.name })}`,
    selected,
  )
  const theta = both.flatMap(({ info, rounds }) =>
    rounds.flatMap(({ round, manifest }) =>
      manifest
        ? info.actors.map((actor, i) => ({ series: `${info.name} ${actor.name}`, round, theta: manifest.theta[i] }))
        : [],
    ),
  )
  const seriesOf = (rows) => [...new Set(rows.map(({ series }) => series))]
  const losses = (value) =>
    both.flatMap(({ info, progress }) =>
      progress
        .filter((point) => point[value] !== null)
        .map((point) => ({ series: info.name, tokens: point.tokens, step: point.step, [value]: point[value] })),
    )
  const common = (overlaps || []).map(({ round, a: ofA, b: ofB, both: documents }) => ({
    round,
    share: documents / Math.max(1, Math.min(ofA, ofB)),
    documents,
    ofA,
    ofB,
  }))
  const rounds = a.rounds
    .filter(({ manifest, round }) => manifest && b.rounds.some((other) => other.manifest && other.round === round))
    .map(({ round }) => round)
  const shown = rounds.find((round) => `${round}` === settings.round) ?? rounds.at(-1)
  return html`<${Failure} error=${error} /><${RoundSlider} rounds=${rounds} round=${shown} onChange=${(round) => set({ round }, { replace: true })} /><div class="grid">
    <${Figure} title="Overlap of the selections" name=${`overlap-${name}`} rows=${common} theme=${theme} note=${a === b ? 'Choose two runs.' : `Documents that ${title} both selected, of the smaller selection.`}
      draw=${(Plot, all) => ({ height: 240, marginLeft: 48, marginBottom: 42, x: { type: 'band', label: 'round', ...centred }, y: { domain: [0, 100], percent: true, label: '%', grid: true, labelArrow: 'none' }, marks: [Plot.barY(all, { x: 'round', y: 'share', fill: 'var(--c1)', rx: 3, insetLeft: 3, insetRight: 3 }), Plot.text(all, { x: 'round', y: 'share', text: (row) => percent(row.share, 0), dy: -7, fill: 'var(--muted)' }), Plot.ruleY([0], { stroke: 'var(--line)' })] })} />
    <${Figure} title="Theta" name=${`theta-${name}`} rows=${theta} theme=${theme} note=${a === b ? '' : `${b.info.name} is dashed.`}
      draw=${(Plot, all, width) => namedLines(Plot, all, { x: 'round', y: 'theta', width, series: seriesOf(all), dashed: isB, integerX: true, colorIndex: (series) => a.info.actors.concat(b.info.actors).findIndex(({ name: actor }) => series.endsWith(` ${actor}`)) })} />
    ${a.info.actors
      .filter(({ name: actor }) => b.info.actors.some((other) => other.name === actor))
      .map(({ name: actor }) => {
        const rows = weightsOf(both, actor, shown)
        return html`<${Figure} key=${actor} title=${`Weights of ${actor}, round ${shown}`} name=${`weights-${actor}-${name}`} rows=${rows} theme=${theme} draw=${(
          Plot,
          all,
          width,
        ) => ({
          height: new Set(all.map((row) => row.subcategory)).size * 26 + 66,
          marginLeft: Math.min(width * 0.4, 150),
          marginRight: 30,
          marginBottom: 42,
          x: { label: 'weight', grid: true, zero: true, insetLeft: 12, insetRight: 12, ...centred },
          y: { label: null, domain: [...new Set(all.map((row) => row.subcategory))] },
          color: {
            type: 'categorical',
            domain: both.map(({ info }) => info.name),
            range: ['var(--c1)', 'var(--c2)'],
            legend: true,
          },
          marks: [
            Plot.ruleX([0], { stroke: 'var(--line)' }),
            Plot.dot(all, { x: 'weight', y: 'subcategory', fill: 'run', r: 4.5 }),
            Plot.tip(
              all,
              Plot.pointer({
                x: 'weight',
                y: 'subcategory',
                fill: 'var(--surface)',
                stroke: 'var(--line)',
                title: (row) => `${row.run}\n${row.subcategory} ${fixed(row.weight, 5)}`,
              }),
            ),
          ],
        })} />`
      })}
    ${[
      ['Loss on the reference', 'referenceLoss'],
      ['Loss on other text', 'corpusLoss'],
    ].map(
      ([
        heading,
        value,
      ]) => html`<${Figure} key=${value} title=${heading} name=${`${value}-${name}`} rows=${losses(value)} theme=${theme}
      draw=${(Plot, all, width) => namedLines(Plot, all, { x: 'tokens', y: value, width, xFormat: short, series: seriesOf(all) })} />`,
    )}
  </div>`
}

const weightsOf = (runs, actor, round) =>
  runs.flatMap(({ info, rounds }) => {
    const i = info.actors.findIndex(({ name }) => name === actor)
    const selected = rounds.find((one) => one.round === round)?.manifest
    return selected && i >= 0
      ? info.actors[i].subcategories.map((subcategory, j) => ({
          run: info.name,
          subcategory,
          weight: selected.weights[i][j],
        }))
      : []
  })

/** Refolds a recorded run: the same, to check it, or with other hyperparameters. */
function Replay({ names, settings }) {
  const recorded = names.filter((name) => state.runs.get(name).info.replayOf === null)
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
      setProblem(error instanceof SyntaxError ? `The changes are no JSON: ${error.message}` : error.message)
    }
    setAsked((n) => n + 1)
  }
  return html`<section class="card replay"><h3>Replay</h3>
    <p class="note">Folds the recorded rewards of a run again from the log, under a new name. Without changes every round must be the same to the bit; with other hyperparameters it is an experiment.</p>
    <form onSubmit=${start}>
      <label>Run <select value=${of} onChange=${(event) => setOf(event.target.value)}>${recorded.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
      <label class="grow">Changes, as JSON; none: the same again <textarea rows="2" placeholder=${exampleChanges} value=${changes} onInput=${(event) => setChanges(event.target.value)}></textarea></label>
      <button type="submit" class="primary">Start replay</button>
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
