// Runs in the page of a comparison, after d3 and Observable Plot, which stand before it in the same file.
const { Plot } = globalThis
const data = JSON.parse(document.getElementById('compared').textContent)
const colours = ['var(--run)', 'var(--control)']
const sides = [0, 1]

/** A plot as wide as its place. */
function draw(place, options) {
  const width = Math.max(180, place.clientWidth)
  const plot = Plot.plot({ width, style: { background: 'none', fontSize: '12px' }, ...options })
  plot.setAttribute('role', 'img')
  plot.setAttribute('aria-label', place.dataset.title)
  place.replaceChildren(plot)
}

const rounds = data.rounds.map(({ round }) => round)
const byRound = { label: 'round', domain: rounds, type: 'point' }

/** Lines of both runs over rounds or tokens. @param rows by run: [{ [x]: number, value: number | null }] */
const lines = (rows, x) =>
  sides.flatMap((side) => {
    const known = rows[side].filter(({ value }) => value !== null)
    const dashed = side === 1 ? { strokeDasharray: '5 3' } : {}
    return [
      Plot.lineY(known, { x, y: 'value', stroke: colours[side], strokeWidth: 2, ...dashed }),
      Plot.dot(known, {
        x,
        y: 'value',
        fill: colours[side],
        r: side === 0 ? 3 : 2.2,
        title: (row) => `${data.names[side]}, ${x} ${row[x]}: ${row.value}`,
      }),
    ]
  })

const drawings = {
  overlap: (place) =>
    draw(place, {
      height: 250,
      marginBottom: 42,
      x: { ...byRound, type: 'band', padding: 0.4 },
      y: { domain: [0, 1], grid: true, label: 'Jaccard' },
      marks: [
        Plot.barY(data.rounds, {
          x: 'round',
          y: 'jaccard',
          fill: 'var(--bar)',
          insetLeft: 4,
          insetRight: 4,
          title: (row) => `round ${row.round}: ${row.jaccard}`,
        }),
        Plot.text(data.rounds, { x: 'round', y: 'jaccard', text: (row) => row.jaccard.toFixed(3), dy: -8 }),
        Plot.ruleY([0], { stroke: 'var(--line)' }),
      ],
    }),
  cells: (place) =>
    draw(place, {
      height: 60 + 20 * data.cells.names.length,
      marginLeft: Math.min(320, 20 + 6.4 * Math.max(...data.cells.names.map((name) => name.length))),
      x: { ...byRound, type: 'band', axis: 'top' },
      y: { domain: data.cells.names, label: null },
      color: { type: 'linear', domain: [0, 1], scheme: 'YlGnBu', legend: true, label: 'Jaccard' },
      marks: [
        Plot.cell(data.cells.values, {
          x: 'round',
          y: 'cell',
          fill: 'jaccard',
          inset: 1,
          title: (row) => `${row.cell}, round ${row.round}: ${row.common} of ${row.either} documents in both`,
        }),
        Plot.text(data.cells.values, {
          x: 'round',
          y: 'cell',
          text: (row) => row.jaccard.toFixed(2),
          fill: (row) => (row.jaccard > 0.55 ? 'white' : 'black'),
          fontSize: 11,
        }),
      ],
    }),
  theta: (place) =>
    multiples(
      place,
      data.actors.map(({ actor, theta }) => ({ title: actor, values: theta })),
      'theta',
    ),
  weights: (place) =>
    multiples(
      place,
      data.actors
        .find(({ actor }) => actor === place.dataset.actor)
        .subcategories.map(({ subcategory, weights }) => ({ title: subcategory, values: weights })),
      'weight',
    ),
  tokens: (place) => {
    const { subcategories } = data.actors.find(({ actor }) => actor === place.dataset.actor)
    const rows = subcategories.flatMap(({ subcategory, shares }) =>
      shares === null ? [] : sides.map((side) => ({ subcategory, side, percent: 100 * shares[side] })),
    )
    const names = [...new Set(rows.map(({ subcategory }) => subcategory))]
    draw(place, {
      height: 60 + 24 * names.length,
      marginBottom: 42,
      marginLeft: Math.min(260, 24 + 7 * Math.max(0, ...names.map((name) => name.length))),
      x: {
        label: 'share of tokens, %',
        grid: true,
        domain: [0, Math.max(1, ...rows.map(({ percent }) => percent))],
      },
      y: { domain: names, label: null },
      marks: [
        Plot.ruleY(Map.groupBy(rows, (row) => row.subcategory).values(), {
          y: (pair) => pair[0].subcategory,
          x1: (pair) => pair[0].percent,
          x2: (pair) => pair[1].percent,
          stroke: 'var(--line)',
          strokeWidth: 3,
        }),
        Plot.dot(rows, {
          x: 'percent',
          y: 'subcategory',
          fill: (row) => colours[row.side],
          r: 5,
          title: (row) => `${data.names[row.side]}, ${row.subcategory}: ${row.percent.toFixed(2)}%`,
        }),
      ],
    })
  },
  losses: (place) =>
    draw(place, {
      height: 310,
      marginLeft: 50,
      marginBottom: 42,
      x: { label: 'tokens', grid: false },
      y: { label: 'nats per token', grid: true, nice: true },
      marks: lines(data.losses[place.dataset.loss], 'tokens'),
    }),
}

/** A small plot over rounds for each of some values, all by the same scale. */
function multiples(place, parts, label) {
  const all = parts.flatMap(({ values }) => values.flat()).filter((value) => value !== null)
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const room = (high - low || Math.abs(high) || 1) * 0.08
  for (const { title, values } of parts) {
    const part = document.createElement('div')
    const heading = document.createElement('h4')
    heading.textContent = title
    const own = document.createElement('div')
    own.dataset.title = `${label} of ${title}`
    part.append(heading, own)
    place.append(part)
    const rows = sides.map((side) => rounds.map((round, i) => ({ round, value: values[i][side] })))
    draw(own, {
      height: 120,
      marginLeft: 44,
      marginTop: 8,
      x: { ...byRound, label: null },
      y: { domain: [low - room, high + room], ticks: 4, grid: true, label: null },
      marks: lines(rows, 'round'),
    })
  }
}

for (const place of document.querySelectorAll('[data-plot]')) drawings[place.dataset.plot](place)
