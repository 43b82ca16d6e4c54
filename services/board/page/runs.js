import { Configuration } from './configuration.js'
import { Figure } from './figure.js'
import { date, fixed, integer, percent, short } from './format.js'
import { Failure, html, Missing, RoundSlider, RunState, Scroll, useAnswer } from './html.js'
import { Ledger } from './ledger.js'
import { centred, namedLines } from './lines.js'
import { lastWith, pointsOf } from './losses.js'
import { hasActorScores, infoAt } from './reading.js'
import { Replay } from './replay.js'
import { hashOf, set } from './route.js'
import { runOf, state } from './store.js'

/** All runs, two of them side by side with their configurations, and replays. */
export function Runs({ settings, theme }) {
  const names = [...state.runs.keys()]
  if (names.length === 0)
    return html`<${Unreadable} /><p class="empty">No run ${state.unreadable.length > 0 ? 'that this board can read' : ''} is recorded yet.</p>`
  const missing = [settings.a, settings.b].filter((name) => name !== undefined && !state.runs.has(name))
  const a = state.runs.get(settings.a) ?? runOf()
  const others = [...state.runs.values()].filter((run) => run !== a)
  const control = others.findLast(({ info }) => info.kind === 'control')
  const b = state.runs.get(settings.b) ?? control ?? others.at(-1) ?? a
  const mark = (name) =>
    html`<td class="picks"><button type="button" class="pick" aria-pressed=${name === a.info.name} aria-label=${`${name} as A`} onClick=${() => set({ a: name })}>A</button><button type="button" class="pick" aria-pressed=${name === b.info.name} aria-label=${`${name} as B`} onClick=${() => set({ b: name })}>B</button></td>`
  return html`
    <section class="card"><h3>Runs</h3><${Scroll}><table class="runs"><thead><tr><th>run</th><th>kind</th><th>is</th><th>recorded</th><th>update</th><th>collaboration</th><th class="n">rounds</th><th class="n">step</th><th class="n">reference loss</th><th class="n">loss on other text</th><th>compare</th></tr></thead>
      <tbody>${[...state.runs.values()].map(
        ({
          info,
          status,
          rounds,
          progress,
        }) => html`<tr><td><a href=${hashOf(info.kind === 'control' ? 'selection' : 'actors', { run: info.name })}>${info.name}</a></td><td>${info.replayOf ? html`${info.kind} of <a href=${hashOf('actors', { run: info.replayOf })}>${info.replayOf}</a>` : info.kind}</td><td><${RunState} status=${status} /></td><td>${date(info.recordedMs)}</td><td>${hasActorScores(info) ? info.update : '–'}</td><td>${hasActorScores(info) ? info.collaboration : '–'}</td><td class="n">${rounds.filter(({ manifest }) => manifest).length}</td><td class="n">${progress.length === 0 ? '–' : `${integer(progress.at(-1).step)} / ${integer(info.steps)}`}</td>
        <td class="n">${fixed(lastWith(progress, 'referenceLoss'), 4)}</td><td class="n">${fixed(lastWith(progress, 'corpusLoss'), 4)}</td>${mark(info.name)}</tr>`,
      )}</tbody></table><//></section>
    <${Unreadable} />
    <div class="bar"><${Picker} label="A" names=${names} value=${a.info.name} onChange=${(name) => set({ a: name })} /><${Picker} label="B" names=${names} value=${b.info.name} onChange=${(name) => set({ b: name })} /></div>
    ${missing.map((name) => html`<${Missing} what=${`There is no run ${name} on this board.`} instead="Runs:" links=${names.map((one) => [one, hashOf('runs', { a: one })])} />`)}
    ${missing.length === 0 && html`<${Compared} a=${a} b=${b} theme=${theme} settings=${settings} /><${Ledger} a=${a.info.name} b=${b.info.name} step=${`${a.progress.at(-1)?.step}/${b.progress.at(-1)?.step}`} /><${Configuration} a=${a.info.name} b=${b.info.name} />`}
    <${Replay} names=${names} settings=${settings} />`
}

/** Runs of another version of winnow. */
const Unreadable = () =>
  state.unreadable.length > 0 &&
  html`<section class="card unreadable" role="alert"><h3>Not readable here</h3><ul>${state.unreadable.map(({ why, hint }) => html`<li>${why}. ${hint}</li>`)}</ul></section>`

const Picker = ({ label, names, value, onChange }) =>
  html`<label>Run ${label} <select value=${value} onChange=${(event) => onChange(event.target.value)}>${names.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>`

function Compared({ a, b, theme, settings }) {
  const both = a === b ? [a] : [a, b]
  const title = both.map(({ info }) => info.name).join(' and ')
  const name = both.map(({ info }) => info.name).join('-')
  const isB = (series) => a !== b && series.startsWith(`${b.info.name} `)
  const selected = Math.min(...both.map(({ rounds }) => rounds.filter(({ manifest }) => manifest).length))
  const {
    value: overlaps,
    error,
    waiting,
  } = useAnswer(a !== b && `/api/overlap?${new URLSearchParams({ a: a.info.name, b: b.info.name })}`, selected)
  const theta = both.flatMap(({ info, rounds }) =>
    rounds.flatMap((one) =>
      one.manifest && hasActorScores(info)
        ? infoAt(info, one).actors.map((actor, i) => ({
            ...{ series: `${info.name} ${actor.name}`, round: one.round },
            theta: one.manifest.theta[i],
          }))
        : [],
    ),
  )
  const seriesOf = (rows) => [...new Set(rows.map(({ series }) => series))]
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
  const asked = settings.round === undefined || `${shown}` === settings.round
  return html`<${Failure} error=${error} />${!asked && html`<p class="told">Round ${settings.round} is not selected by both${shown === undefined ? '' : `: this is round ${shown}`}.</p>`}<${RoundSlider} rounds=${rounds} round=${shown} onChange=${(round) => set({ round }, { replace: true })} /><div class="grid">
    <${Figure} title="Overlap of the selections" name=${`overlap-${name}`} rows=${common} theme=${theme} loading=${waiting && a !== b} empty=${a === b ? 'choose two runs' : 'no round that both have selected'} formats=${{ share: percent }} note=${a === b ? '' : `Documents selected by both ${title}, as a share of the smaller selection.`}
      draw=${(Plot, all) => ({ height: 240, marginLeft: 48, marginBottom: 42, x: { type: 'band', label: 'round', ...centred }, y: { domain: [0, 100], percent: true, label: '%', grid: true, labelArrow: 'none' }, marks: [Plot.barY(all, { x: 'round', y: 'share', fill: 'var(--c1)', rx: 3, insetLeft: 3, insetRight: 3 }), Plot.text(all, { x: 'round', y: 'share', text: (row) => percent(row.share, 0), dy: -7, fill: 'var(--muted)' }), Plot.ruleY([0], { stroke: 'var(--line)' })] })} />
    <${Figure} title="Theta" name=${`theta-${name}`} rows=${theta} theme=${theme} note=${[a !== b && hasActorScores(b.info) && `${b.info.name} is dashed.`, ...both.filter(({ info }) => !hasActorScores(info)).map(({ info }) => `${info.name} has none: ${info.kind === 'control' ? 'it is a control' : 'its strategy uses no actors'}.`)].filter(Boolean).join(' ')} empty="no round of theirs has been scored"
      draw=${(Plot, all, width) => namedLines(Plot, all, { x: 'round', y: 'theta', width, series: seriesOf(all), dashed: isB, integerX: true, colorIndex: (series) => a.info.actors.concat(b.info.actors).findIndex(({ name: actor }) => series.endsWith(` ${actor}`)) })} />
    ${a.info.actors
      .filter(({ name: actor }) => b.info.actors.some((other) => other.name === actor))
      .map(({ name: actor }) => {
        const rows = weightsOf(both, actor, shown)
        return html`<${Figure} key=${actor} title=${`Weights of ${actor}, round ${shown}`} name=${`weights-${actor}-${name}`} rows=${rows} theme=${theme} empty="no weights to compare" draw=${(
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
            domain: both.filter(({ info }) => hasActorScores(info)).map(({ info }) => info.name),
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
      ]) => html`<${Figure} key=${value} title=${heading} name=${`${value}-${name}`} rows=${both.flatMap((run) => pointsOf(run, value))} theme=${theme}
      draw=${(Plot, all, width) => namedLines(Plot, all, { x: 'tokens', y: value, width, xFormat: short, series: seriesOf(all) })} />`,
    )}
  </div>`
}

const weightsOf = (runs, actor, round) =>
  runs.flatMap(({ info, rounds }) => {
    const one = rounds.find((other) => other.round === round)
    const { actors } = infoAt(info, one)
    const i = actors.findIndex(({ name }) => name === actor)
    const selected = one?.manifest
    return selected && i >= 0 && hasActorScores(info)
      ? actors[i].subcategories.map((subcategory, j) => ({
          run: info.name,
          subcategory,
          weight: selected.weights[i][j],
        }))
      : []
  })
