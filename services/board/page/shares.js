import { useMemo } from 'preact/hooks'
import { Figure } from './figure.js'
import { integer, percent, times } from './format.js'
import { html } from './html.js'
import { centred, inkOn } from './lines.js'

/** A round's selection compared with the corpus, by every label and every pair of labels. */
export function Compared({ info, round, composition, theme }) {
  const { cells, looked, selection } = composition
  const pairs = useMemo(
    () => info.actors.flatMap((_, a) => info.actors.slice(a + 1).map((__, i) => [a, a + 1 + i])),
    [info],
  )
  return html`
    ${looked < selection && html`<p class="note">Shares of the selection are based on its first ${integer(looked)} documents in emission order, a fair sample.</p>`}
    <h2>Corpus and selection</h2>
    <div class="grid">${info.actors.map(({ name }, a) => html`<${Shares} key=${name} info=${info} a=${a} cells=${cells} theme=${theme} round=${round} />`)}</div>
    <h2>Every pair</h2>
    <p class="note">Lift: share of the selection over share of the corpus. 1 is as in the corpus; green is chosen more, purple less; empty cells have no documents.</p>
    <div class="grid">${pairs.map(([a, b]) => html`<${Lifts} key=${`${a}-${b}`} info=${info} a=${a} b=${b} cells=${cells} theme=${theme} round=${round} />`)}</div>`
}

/** Sums cells by some of their labels. */
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

/** As in the plots. */
const formats = { corpus: percent, selection: percent, lift: times, documents: integer, selected: integer }

const tipOf = (title, { corpus, documents, selection, selected, lift }) =>
  `${title}\ncorpus ${percent(corpus)}: ${integer(documents)}\nselection ${percent(selection)}: ${integer(selected)}\nlift ${times(lift)}`

function Shares({ info, a, cells, theme, round }) {
  const { name, subcategories } = info.actors[a]
  const of = totals(cells, (labels) => labels[a])
  const rows = subcategories
    .map((subcategory, j) => ({ subcategory, ...of(j) }))
    .filter(({ documents }) => documents > 0)
  return html`<${Figure} title=${`By ${name}`} name=${`shares-${name}-${info.name}-${round}`} rows=${rows} theme=${theme}
    note="Ring: share of the corpus. Dot: share of the selection, with its lift." formats=${formats}
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
            title: (row) => tipOf(row.subcategory, row),
          }),
        ),
      ],
    })} />`
}

/** A lift as the colour scale has it, -2 to 2. */
const levelOf = ({ lift }) => Math.max(-2, Math.min(2, Math.log2(Math.max(lift, 0.01))))

/** The axis with more subcategories is vertical. */
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
  return html`<${Figure} title=${`${rowsOf.name} by ${columnsOf.name}`} name=${`lift-${rowsOf.name}-${columnsOf.name}-${info.name}-${round}`} rows=${rows} theme=${theme} formats=${formats}
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
            fill: levelOf,
            rx: 3,
          }),
          ...(cellWidth > 30
            ? [
                Plot.text(all, {
                  x: columnsOf.name,
                  y: rowsOf.name,
                  text: (row) => row.lift.toFixed(row.lift < 10 ? 1 : 0),
                  fill: (row) => inkOn(globalThis.d3.interpolatePRGn((levelOf(row) + 2) / 4)),
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
              title: (row) => tipOf(`${row[rowsOf.name]} · ${row[columnsOf.name]}`, row),
            }),
          ),
        ],
      }
    }} />`
}
