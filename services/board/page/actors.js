import { useMemo } from 'preact/hooks'
import { downloadCsv } from './download.js'
import { Figure } from './figure.js'
import { fixed, integer, sum } from './format.js'
import { html, RoundSlider, Scroll } from './html.js'
import { coloredMax, colorOf, namedLines } from './lines.js'
import { actorsEver, hasActorScores, infoAt, NegativeTheta, NoScores } from './reading.js'
import { set } from './route.js'
import { Stability, Worth } from './worth.js'

/** Weights, theta and rewards of a run's actors over its rounds (the paper's Figures 8 to 10). */
export function Actors({ run, settings, theme }) {
  if (run === undefined) return html`<p class="empty">No run is recorded yet.</p>`
  const { info, rounds } = run
  const [actorOfFocus, focus] = (settings.focus ?? '').split('/')
  const selected = rounds.filter(({ manifest }) => manifest)
  const actors = actorsEver(info, rounds)
  const named = actors.map((actor) => inColours(actor, selected.at(-1), info))
  const theta = selected.flatMap((one) =>
    infoAt(info, one).actors.map(({ name }, a) => ({
      ...{ series: name, round: one.round, step: one.manifest.step },
      theta: one.manifest.theta[a],
    })),
  )
  if (info.kind === 'control')
    return html`<${NoScores} info=${info} /><p class="empty">A control has no actors to show. What it drew is in Selection, its losses are in Training.</p>`
  return html`
    <${NoScores} info=${info} />
    <${NegativeTheta} info=${infoAt(info, selected.at(-1))} manifest=${selected.at(-1)?.manifest} />
    <div class="grid">
      <${Figure} title="Theta of the actors" name=${`theta-${info.name}`} rows=${theta} theme=${theme}
        note="How much each actor counts in the score (Eq. 8). Below zero, its weights are reversed." empty="no round has been selected yet"
        draw=${(Plot, rows, width) => namedLines(Plot, rows, { x: 'round', y: 'theta', width, series: actors.map(({ name }) => name), integerX: true, zero: true })} />
      ${actors.map((actor, a) => html`<${Weights} key=${actor.name} run=${run} actor=${actor} series=${named[a]} theme=${theme} focus=${actorOfFocus === actor.name ? focus : undefined} />`)}
    </div>
    <${Worth} run=${run} theme=${theme} />
    <${Stability} run=${run} />
    <h2>Rewards by training step</h2>
    <p class="note">How much training on a document of the subcategory would have lowered the reference loss at that step: mean of the sampled documents and, if at most five subcategories or a chosen one are shown, one standard deviation as a band.</p>
    <div class="grid">${actors.map((actor, a) => html`<${Rewards} key=${actor.name} run=${run} actor=${actor} series=${named[a]} theme=${theme} focus=${actorOfFocus === actor.name ? focus : undefined} />`)}</div>
    <${Samples} run=${run} settings=${settings} />`
}

function Weights({ run: { info, rounds }, actor, series, theme, focus }) {
  const rows = rounds.flatMap((one) => {
    const { round, manifest } = one
    const of = infoAt(info, one).actors
    const a = of.findIndex(({ name }) => name === actor.name)
    if (!manifest || a === -1) return []
    return of[a].subcategories.map((series, j) => ({
      ...{ series, round, step: manifest.step },
      weight: manifest.weights[a][j],
    }))
  })
  return html`<${Figure} title=${`Weights of ${actor.name}`} name=${`weights-${actor.name}-${info.name}`} rows=${rows} theme=${theme} redraw=${focus}
    note=${noteOf(series, `one line per subcategory; eta ${actor.eta}`)}
    draw=${(Plot, all, width) => namedLines(Plot, focused(all, focus), { x: 'round', y: 'weight', width, series, integerX: true })} />`
}

function Rewards({ run: { info, rounds }, actor, series, theme, focus }) {
  const rows = rounds.flatMap((one) => {
    const { round, step, rewards } = one
    const of = infoAt(info, one).actors
    const a = of.findIndex(({ name }) => name === actor.name)
    return rewards && step !== null
      ? (of[a]?.subcategories ?? []).flatMap((series, j) => {
          const spread = rewards[a]?.[j]
          return spread
            ? [
                {
                  series,
                  step,
                  round,
                  mean: spread.mean,
                  low: spread.mean - spread.deviation,
                  high: spread.mean + spread.deviation,
                  samples: spread.count,
                },
              ]
            : []
        })
      : []
  })
  const rewarded = series.filter((name) => rows.some((row) => row.series === name))
  const waitsFor = hasActorScores(info) ? 'no round has been rewarded yet' : 'no rewards'
  return html`<${Figure} title=${`Rewards of ${actor.name}`} name=${`rewards-${actor.name}-${info.name}`} rows=${rows} theme=${theme} redraw=${focus} empty=${waitsFor}
      draw=${(Plot, all, width) =>
        namedLines(Plot, focused(all, focus), {
          x: 'step',
          y: 'mean',
          width,
          series,
          height: 260,
          band: focus || rewarded.length <= 5 ? ['low', 'high'] : undefined,
        })}>
    <div class="chips">${rewarded.map(
      (
        name,
      ) => html`<button type="button" aria-pressed=${focus === name} style=${`--chip:${series.indexOf(name) < coloredMax ? colorOf(series.indexOf(name)) : 'var(--faint)'}`}
      onClick=${() => set({ focus: focus === name ? undefined : `${actor.name}/${name}` })}>${name}</button>`,
    )}</div>
  </>`
}

const focused = (rows, focus) => (focus === undefined ? rows : rows.filter(({ series }) => series === focus))

/** Subcategories in their order; if there are more than colours, those with the highest current weights come first. */
function inColours({ name: actor, subcategories }, last, info) {
  const of = infoAt(info, last).actors
  const a = of.findIndex(({ name }) => name === actor)
  if (subcategories.length <= coloredMax || !last || a === -1) return subcategories
  const now = new Map(of[a].subcategories.map((name, j) => [name, last.manifest.weights[a][j]]))
  const weightOf = (name) => now.get(name) ?? Number.NEGATIVE_INFINITY
  const highest = subcategories.map((name) => ({ name, weight: weightOf(name) })).sort((x, y) => y.weight - x.weight)
  return highest.map(({ name }) => name)
}

const noteOf = (series, text) =>
  series.length > coloredMax ? `${text}; the ${coloredMax} highest now are labelled` : text

/** What one round requested and received. */
function Samples({ run: { info, rounds }, settings }) {
  const asked = rounds.filter((round) => round.asked && total(round.asked) > 0)
  const numbers = asked.map(({ round }) => round)
  const round = settings.round === undefined ? asked.at(-1) : asked.find((one) => `${one.round}` === settings.round)
  const table = useMemo(() => (round === undefined ? [] : samplesOf(info, round)), [info, round])
  const overview = asked.map((one) => ({
    ...one,
    total: total(one.asked),
    answered: total((one.rewards ?? []).map((row) => row.map((spread) => spread?.count ?? 0))),
  }))
  if (asked.length === 0)
    return html`<section class="card"><h3>Samples</h3><p class="empty">This run ${info.sampleDocuments === 0 ? 'requests no rewards' : 'has requested no rewards yet: round 1 is the first to'}.</p></section>`
  const csv = () =>
    downloadCsv(Object.keys(table[0]), table.map(Object.values), `samples-${info.name}-round-${round.round}`)
  return html`
    <section class="card"><h3>Rounds with rewards</h3><${Scroll}><table class="rounds"><thead><tr><th class="n">round</th><th class="n">step</th><th class="n">asked</th><th class="n">answered</th><th class="n">missing</th><th class="n">late</th><th>closed</th></tr></thead>
      <tbody>${overview.map(
        (
          one,
        ) => html`<tr><td class="n">${one.round}</td><td class="n">${integer(one.step)}</td><td class="n">${integer(one.total)}</td><td class="n">${integer(one.answered)}</td>
        <td class=${`n ${(one.closed?.missing ?? 0) > 0 ? 'bad' : ''}`}>${one.closed ? integer(one.closed.missing) : '…'}</td><td class=${`n ${one.late > 0 ? 'bad' : ''}`}>${integer(one.late)}</td><td>${closing(one)}</td></tr>`,
      )}</tbody></table><//></section>
    <section class="card"><div class="head"><h3>Samples of round ${round?.round ?? settings.round}</h3><${RoundSlider} rounds=${numbers} round=${round?.round ?? numbers.at(-1)} onChange=${(next) => set({ round: next }, { replace: true })} /><span class="tools"><button type="button" onClick=${csv} aria-label="Samples: download CSV">CSV</button></span></div>
      ${
        round === undefined
          ? html`<p class="told">Round ${settings.round} has requested no rewards. Rounds that have: ${numbers[0]} to ${numbers.at(-1)}.</p>`
          : html`<${Scroll}><table class="samples"><thead><tr><th>actor</th><th>subcategory</th><th class="n">asked</th><th class="n">answered</th><th class="n">mean reward</th><th class="n">deviation</th><th class="n">lowest</th><th class="n">highest</th><th class="n">weight</th></tr></thead>
      <tbody>${table.map((row) => html`<tr><td>${row.actor}</td><td>${row.subcategory}</td><td class="n">${row.asked}</td><td class="n">${row.answered}</td><td class="n">${fixed(row.mean, 4)}</td><td class="n">${fixed(row.deviation, 4)}</td><td class="n">${fixed(row.lowest, 4)}</td><td class="n">${fixed(row.highest, 4)}</td><td class="n">${fixed(row.weight, 4)}</td></tr>`)}</tbody></table><//>`
      }</section>`
}

const reasons = { answered: 'all were answered', deadline: 'the deadline had passed' }
const closing = ({ closed }) => (closed ? (reasons[closed.reason] ?? closed.reason) : 'open')

const samplesOf = (info, round) => {
  const { asked, rewards, manifest } = round
  const of = infoAt(info, round).actors
  return of.flatMap(({ name, subcategories }, a) =>
    subcategories.flatMap((subcategory, j) => {
      if (!asked[a][j]) return []
      const spread = rewards?.[a]?.[j]
      return [
        {
          actor: name,
          subcategory,
          asked: asked[a][j],
          answered: spread?.count ?? 0,
          mean: spread?.mean ?? null,
          deviation: spread?.deviation ?? null,
          lowest: spread?.min ?? null,
          highest: spread?.max ?? null,
          weight: manifest?.weights[a][j] ?? null,
        },
      ]
    }),
  )
}

const total = (table) => sum(table.flat())
