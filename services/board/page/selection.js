import { Figure } from './figure.js'
import { fixed, integer, percent, short, sum } from './format.js'
import { DocumentLink, Failure, html, Loading, Missing, RoundSlider, Tiles, useAnswer } from './html.js'
import { centred } from './lines.js'
import { LostToDuplicates } from './lost.js'
import { infoAt, isRandom, NegativeTheta, NoScores } from './reading.js'
import { hashOf, set } from './route.js'
import { Compared } from './shares.js'
import { ChangesOfRound, GuardsOfRound, Strata } from './strata.js'

/** What a round selected compared with what there was (the paper's Figures 11 to 13). */
export function Selection({ run, settings, theme }) {
  const rounds = run?.rounds.filter(({ manifest }) => manifest) ?? []
  const current =
    settings.round === undefined ? rounds.at(-1) : rounds.find(({ round }) => `${round}` === settings.round)
  const base = current && `/api/runs/${encodeURIComponent(run.info.name)}/rounds/${current.round}`
  const { value: composition, error, waiting } = useAnswer(base && `${base}/composition`)
  const { value: repeats, waiting: counting } = useAnswer(base && `${base}/repeats`, run?.progress.at(-1)?.step)
  const { value: lost } = useAnswer(base && `${base}/lost`)
  const { value: documents } = useAnswer(base && `${base}/documents`)
  if (run === undefined) return html`<p class="empty">No run is recorded yet.</p>`
  const info = infoAt(run.info, current)
  if (settings.round !== undefined && current === undefined)
    return html`<${Missing} what=${`Run ${info.name} has selected nothing in round ${settings.round}.`} instead=${rounds.length > 0 ? 'Rounds that it has selected:' : 'It has selected no round yet.'}
      links=${rounds.slice(-20).map(({ round }) => [round, hashOf('selection', { run: info.name, round })])} />`
  if (current === undefined) return html`<p class="empty">Nothing is selected yet.</p>`
  const { manifest, round } = current
  const shown = waiting ? undefined : composition
  return html`
    <${NoScores} info=${info} />
    <div class="bar"><${RoundSlider} rounds=${rounds.map((one) => one.round)} round=${round} onChange=${(next) => set({ round: next }, { replace: true })} /><span class="note">selected at step ${integer(manifest.step)}${isRandom(info, round) ? '; drawn at random' : ''}</span>
      <a href=${hashOf('documents', { run: info.name, round })}>search its documents</a></div>
    <${NegativeTheta} info=${info} manifest=${isRandom(info, round) ? undefined : manifest} />
    <${Tiles} tiles=${[...tilesOf(info, current, shown), ['digest', html`<code title=${manifest.selectionDigest}>${manifest.selectionDigest.slice(0, 10)}</code>`, 'of the ids, in order']]} />
    <${ChangesOfRound} changes=${current.changes} />
    <${GuardsOfRound} guards=${current.guards} />
    <${LostToDuplicates} lost=${lost} />
    <${Strata} info=${info} manifest=${manifest} />
    <${Failure} error=${error} />
    ${!error && (shown ? html`<${Compared} info=${info} round=${round} composition=${shown} theme=${theme} />` : html`<${Loading} what="what the round selected" />`)}
    <h2>How often documents repeat</h2>
    <div class="grid">
      <${Counts} title="Selected before" name=${`selected-before-${info.name}-${round}`} counts=${repeats?.selectedBefore} loading=${counting} x="earlier rounds" theme=${theme}
        note="Documents of this round by the number of earlier rounds that had selected them." />
      <${Counts} title="Times read" name=${`times-read-${info.name}-${round}`} counts=${repeats?.timesRead} loading=${counting} x="times read" theme=${theme}
        note="Documents of all selections up to this round by how often the trainer has read them." />
    </div>
    <section class="card"><h3>First documents of this selection</h3>
      ${documents ? html`<ul class="documents">${documents.map(({ doc, source, snippet, tokens }) => html`<li><${DocumentLink} id=${doc} run=${info.name} /> <span class="note">${source ?? ''} · ${integer(tokens)} tokens</span><p>${snippet}</p></li>`)}</ul>` : html`<${Loading} what="them" />`}
    </section>`
}

/** The numbers of a round, each with its meaning. */
function tilesOf(info, { round, manifest, read }, composition) {
  const { documents, tokens, threshold, marginal } = manifest
  const available = composition && sum(composition.cells.map(({ corpus }) => corpus))
  const passed =
    read === null ? 'the trainer has not begun' : `the trainer has read ${integer(Math.min(read, documents))}`
  const size = [
    [
      'documents',
      integer(documents),
      available ? `${percent(documents / available)} of ${integer(available)}; ${passed}` : passed,
    ],
    ['tokens', short(tokens), 'as ingest counts'],
  ]
  if (manifest.strata !== null) return size
  if (isRandom(info, round)) {
    const why = info.kind === 'control' ? 'a control never scores' : 'there are no rewards before round 0'
    return [...size, ['scores', 'all the same', `${why}: the seed drew the documents`]]
  }
  const marginalCells =
    composition && threshold !== null
      ? composition.cells.filter(({ score, corpus }) => score === threshold && corpus > 0)
      : []
  return [
    ...size,
    ['lowest score selected', fixed(threshold, 5), 'the threshold: higher scores are in, lower ones are out'],
    [
      'drawn at the threshold',
      marginal ? `${integer(marginal.taken)} of ${integer(marginal.documents)}` : '–',
      marginal
        ? 'documents with exactly this score: the budget ended among them, and the seed decided which are in'
        : 'the budget ended between two scores: nothing had to be drawn',
    ],
    [
      'labels at the threshold',
      marginalCells.length === 0
        ? '–'
        : marginalCells.length > 1
          ? `${marginalCells.length} cells`
          : namesOf(info, marginalCells[0].labels).join(' · '),
      marginalCells.length > 1
        ? marginalCells
            .slice(0, 3)
            .map(({ labels }) => namesOf(info, labels).join(' · '))
            .join('; ')
        : 'the marginal cell: the labels whose score is the threshold',
    ],
  ]
}

const namesOf = ({ actors }, labels) => labels.map((label, a) => actors[a].subcategories[label])

function Counts({ title, note, name, counts, x, theme, loading }) {
  const rows = (counts ?? []).map((documents, times) => ({ [x]: times, documents }))
  return html`<${Figure} title=${title} name=${name} note=${note} rows=${rows} theme=${theme} loading=${loading}
    draw=${(Plot, all) => ({
      height: 190,
      marginLeft: 52,
      marginBottom: 42,
      x: { type: 'band', label: x, ...centred },
      y: { label: 'documents', grid: true, labelArrow: 'none', ticks: 4 },
      marks: [
        Plot.barY(all, { x, y: 'documents', fill: 'var(--c1)', insetLeft: 2, insetRight: 2, rx: 3 }),
        Plot.text(all, { x, y: 'documents', text: (row) => integer(row.documents), dy: -7, fill: 'var(--muted)' }),
        Plot.ruleY([0], { stroke: 'var(--line)' }),
      ],
    })} />`
}
