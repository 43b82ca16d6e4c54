import { useMemo } from 'preact/hooks'
import { Figure } from './figure.js'
import { fixed, integer, percent, short, times } from './format.js'
import { Failure, html, RoundSlider, Tiles, useAnswer } from './html.js'
import { centred } from './lines.js'
import { hashOf, set } from './route.js'

/** What a round selected against what there was (the paper's Figures 11 to 13). */
export function Selection({ run, settings, theme }) {
  const rounds = run?.rounds.filter(({ manifest }) => manifest) ?? []
  const current = rounds.find(({ round }) => `${round}` === settings.round) ?? rounds.at(-1)
  const base = current && `/api/runs/${encodeURIComponent(run.info.name)}/rounds/${current.round}`
  const { value: composition, error } = useAnswer(base && `${base}/composition`)
  const { value: repeats } = useAnswer(base && `${base}/repeats`, run?.progress.at(-1)?.step)
  const { value: documents } = useAnswer(base && `${base}/documents`)
  if (current === undefined) return html`<p class="empty">Nothing is selected yet.</p>`
  const { info } = run
  const { manifest, round } = current
  const marginal =
    composition && manifest.threshold !== null
      ? composition.cells.filter(({ score, corpus }) => score === manifest.threshold && corpus > 0)
      : []
  const available = composition?.cells.reduce((sum, { corpus }) => sum + corpus, 0)
  return html`
    <div class="bar"><${RoundSlider} rounds=${rounds.map((one) => one.round)} round=${round} onChange=${(next) => set({ round: next }, { replace: true })} /><span class="note">selected at step ${integer(manifest.step)}</span></div>
    <${Tiles} tiles=${[
      [
        'documents',
        integer(manifest.documents),
        available && `${percent(manifest.documents / available)} of ${integer(available)}`,
      ],
      ['tokens', short(manifest.tokens), 'as ingest counts'],
      ['threshold', fixed(manifest.threshold, 5), 'lowest score selected'],
      [
        'marginal level',
        manifest.marginal ? `${integer(manifest.marginal.taken)} of ${integer(manifest.marginal.documents)}` : '–',
        manifest.marginal ? `drawn by seed at score ${fixed(manifest.marginal.score, 5)}` : 'the budget cut no level',
      ],
      [
        'marginal cell',
        marginal.length === 0
          ? '–'
          : marginal.length > 1
            ? `${marginal.length} cells`
            : namesOf(info, marginal[0].labels).join(' · '),
        marginal.length > 1
          ? marginal
              .slice(0, 3)
              .map(({ labels }) => namesOf(info, labels).join(' · '))
              .join('; ')
          : undefined,
      ],
      [
        'digest',
        html`<code title=${manifest.selectionDigest}>${manifest.selectionDigest.slice(0, 10)}</code>`,
        'of the ids, in order',
      ],
    ]} />
    <${Failure} error=${error} />
    ${composition && html`<${Compared} info=${info} round=${round} composition=${composition} theme=${theme} />`}
    <h2>How often documents repeat</h2>
    <div class="grid">
      <${Counts} title="Selected before" name=${`selected-before-${info.name}-${round}`} counts=${repeats?.selectedBefore} x="earlier rounds" theme=${theme}
        note="Documents of this round by the number of earlier rounds that had selected them." />
      <${Counts} title="Times read" name=${`times-read-${info.name}-${round}`} counts=${repeats?.timesRead} x="times read" theme=${theme}
        note="Documents of all selections up to this round by how often the trainer has read them." />
    </div>
    <section class="card"><h3>First documents of this selection</h3>
      <ul class="documents">${(documents ?? []).slice(0, 10).map(({ doc, source, snippet, tokens }) => html`<li><a href=${hashOf('documents', { run: info.name, id: doc })}><code>${doc}</code></a> <span class="note">${source ?? ''} · ${integer(tokens)} tokens</span><p>${snippet}</p></li>`)}</ul>
    </section>`
}

const namesOf = ({ actors }, labels) => labels.map((label, a) => actors[a].subcategories[label])

function Compared({ info, round, composition, theme }) {
  const { cells, looked, selection } = composition
  const pairs = useMemo(
    () => info.actors.flatMap((_, a) => info.actors.slice(a + 1).map((__, i) => [a, a + 1 + i])),
    [info],
  )
  return html`
    ${looked < selection && html`<p class="note">Shares of the selection are of its first ${integer(looked)} documents in emission order, a fair sample.</p>`}
    <h2>Corpus and selection</h2>
    <div class="grid">${info.actors.map(({ name }, a) => html`<${Shares} key=${name} info=${info} a=${a} cells=${cells} theme=${theme} round=${round} />`)}</div>
    <h2>Every pair</h2>
    <p class="note">Lift: share of the selection over share of the corpus. 1 is as in the corpus; green is chosen more, purple less; empty cells have no documents.</p>
    <div class="grid">${pairs.map(([a, b]) => html`<${Lifts} key=${`${a}-${b}`} info=${info} a=${a} b=${b} cells=${cells} theme=${theme} round=${round} />`)}</div>`
}

/** Adds cells up by some of their labels. */
function totals(cells, keyOf) {
  const sums = new Map()
  let corpus = 0
  let selected = 0
  for (const cell of cells) {
    const sum = sums.get(keyOf(cell.labels)) ?? { corpus: 0, selected: 0 }
    sum.corpus += cell.corpus
    sum.selected += cell.selected
    corpus += cell.corpus
    selected += cell.selected
    sums.set(keyOf(cell.labels), sum)
  }
  return (key) => {
    const sum = sums.get(key) ?? { corpus: 0, selected: 0 }
    const shares = { corpus: sum.corpus / (corpus || 1), selection: sum.selected / (selected || 1) }
    return {
      ...shares,
      lift: sum.corpus === 0 ? null : shares.selection / shares.corpus,
      documents: sum.corpus,
      selected: sum.selected,
    }
  }
}

function Shares({ info, a, cells, theme, round }) {
  const { name, subcategories } = info.actors[a]
  const of = totals(cells, (labels) => labels[a])
  const rows = subcategories
    .map((subcategory, j) => ({ subcategory, ...of(j) }))
    .filter(({ documents }) => documents > 0)
  return html`<${Figure} title=${`By ${name}`} name=${`shares-${name}-${info.name}-${round}`} rows=${rows} theme=${theme}
    note="Ring: share of the corpus. Dot: share of the selection, with its lift."
    draw=${(Plot, all, width) => ({
      height: all.length * 24 + 62,
      marginLeft: Math.min(width * 0.4, Math.max(...all.map((row) => row.subcategory.length)) * 6.5 + 16),
      marginRight: 52,
      x: { percent: true, label: 'share, %', grid: true, nice: true, zero: true, ...centred },
      marginBottom: 42,
      y: { domain: all.map((row) => row.subcategory), label: null },
      marks: [
        Plot.ruleY(all, {
          x1: 'corpus',
          x2: 'selection',
          y: 'subcategory',
          stroke: (row) => (row.selection >= row.corpus ? 'var(--up)' : 'var(--down)'),
          strokeWidth: 3,
          strokeOpacity: 0.45,
        }),
        Plot.dot(all, {
          x: 'corpus',
          y: 'subcategory',
          stroke: 'var(--muted)',
          r: 4,
          strokeWidth: 1.6,
          fill: 'var(--surface)',
        }),
        Plot.dot(all, {
          x: 'selection',
          y: 'subcategory',
          fill: (row) => (row.selection >= row.corpus ? 'var(--up)' : 'var(--down)'),
          r: 4.5,
        }),
        Plot.text(all, {
          x: (row) => Math.max(row.corpus, row.selection),
          y: 'subcategory',
          text: (row) => times(row.lift),
          textAnchor: 'start',
          dx: 9,
          fill: 'var(--muted)',
        }),
        Plot.tip(
          all,
          Plot.pointerY({
            x: 'selection',
            y: 'subcategory',
            fill: 'var(--surface)',
            stroke: 'var(--line)',
            title: (row) =>
              `${row.subcategory}\ncorpus ${percent(row.corpus)}: ${integer(row.documents)}\nselection ${percent(row.selection)}: ${integer(row.selected)}\nlift ${times(row.lift)}`,
          }),
        ),
      ],
    })} />`
}

/** The axis with more subcategories runs down. */
function Lifts({ info, a, b, cells, theme, round }) {
  const [down, across] = info.actors[a].subcategories.length >= info.actors[b].subcategories.length ? [a, b] : [b, a]
  const of = totals(cells, (labels) => `${labels[down]} ${labels[across]}`)
  const [rowsOf, columnsOf] = [info.actors[down], info.actors[across]]
  const rows = rowsOf.subcategories
    .flatMap((y, i) =>
      columnsOf.subcategories.map((x, j) => ({ [rowsOf.name]: y, [columnsOf.name]: x, ...of(`${i} ${j}`) })),
    )
    .filter(({ documents }) => documents > 0)
  const longest = (key) => Math.max(0, ...rows.map((row) => row[key].length))
  return html`<${Figure} title=${`${rowsOf.name} by ${columnsOf.name}`} name=${`lift-${rowsOf.name}-${columnsOf.name}-${info.name}-${round}`} rows=${rows} theme=${theme}
    draw=${(Plot, all, width) => {
      const domain = columnsOf.subcategories.filter((name) => all.some((row) => row[columnsOf.name] === name))
      const cellWidth = (width - 130) / domain.length
      return {
        padding: 0.04,
        marginLeft: Math.min(width * 0.36, longest(rowsOf.name) * 6.4 + 14),
        marginBottom: Math.min(110, longest(columnsOf.name) * 5 + 24),
        marginTop: 8,
        height:
          new Set(all.map((row) => row[rowsOf.name])).size * 25 + Math.min(110, longest(columnsOf.name) * 5 + 24) + 12,
        x: { domain, label: null, tickRotate: cellWidth < longest(columnsOf.name) * 7 ? -38 : 0 },
        y: { domain: rowsOf.subcategories.filter((name) => all.some((row) => row[rowsOf.name] === name)), label: null },
        color: { type: 'linear', domain: [-2, 2], range: undefined, scheme: 'PRGn', clamp: true },
        marks: [
          Plot.cell(all, {
            x: columnsOf.name,
            y: rowsOf.name,
            fill: (row) => Math.log2(Math.max(row.lift, 0.01)),
            rx: 3,
          }),
          ...(cellWidth > 30
            ? [
                Plot.text(all, {
                  x: columnsOf.name,
                  y: rowsOf.name,
                  text: (row) => row.lift.toFixed(row.lift < 10 ? 1 : 0),
                  fill: (row) => (Math.abs(Math.log2(Math.max(row.lift, 0.01))) > 1.2 ? '#fff' : '#222'),
                }),
              ]
            : []),
          Plot.tip(
            all,
            Plot.pointer({
              x: columnsOf.name,
              y: rowsOf.name,
              fill: 'var(--surface)',
              stroke: 'var(--line)',
              title: (row) =>
                `${row[rowsOf.name]} · ${row[columnsOf.name]}\ncorpus ${percent(row.corpus)}: ${integer(row.documents)}\nselection ${percent(row.selection)}: ${integer(row.selected)}\nlift ${times(row.lift)}`,
            }),
          ),
        ],
      }
    }} />`
}

function Counts({ title, note, name, counts, x, theme }) {
  const rows = (counts ?? []).map((documents, times) => ({ [x]: times, documents }))
  return html`<${Figure} title=${title} name=${name} note=${note} rows=${rows} theme=${theme}
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
