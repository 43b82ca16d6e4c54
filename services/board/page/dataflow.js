import { graphlib, layout } from 'dagre'
import { useMemo, useRef } from 'preact/hooks'
import { downloadCsv, downloadSvg } from './download.js'
import { age, integer, rate, short, shortTopic } from './format.js'
import { html } from './html.js'
import { hashOf, set } from './route.js'
import { state } from './store.js'
import { TopicPanel } from './topic-panel.js'

const nameMax = 26
/** A box as wide as its name needs. */
const stationSize = (name) => ({ width: Math.max(120, Math.min(name.length, nameMax) * 7.9 + 26), height: 50 })
const topicSize = (topic) => ({
  width: Math.max(124, Math.min(shortTopic(topic).length, nameMax) * 7 + 26),
  height: 44,
})
const cut = (name) => (name.length > nameMax ? `${name.slice(0, nameMax - 1)}…` : name)
/** On a phone the dataflow runs down. */
const narrow = matchMedia('(max-width: 760px)')
/** What waits longer than this is drawn as a problem. */
const lateMs = 60_000

/** Stations and topics as describe() gives them, with what flows between them now. */
export function Dataflow({ run, settings }) {
  const picture = useRef(null)
  if (run === undefined) {
    return html`<p class="empty">No run is recorded yet. Ingest documents with <code>npx winnow ingest FILES</code>, then create one with <code>npx winnow run create run.yaml</code>.</p>`
  }
  const { info } = run
  const topics = topicsOf(info)
  const rows = topics.map((topic) => ({ ...topic, ...flowOf(topic, info.name) }))
  const csv = () =>
    downloadCsv(
      ['topic', 'from', 'to', 'records', 'rate_per_second', 'lag', 'oldest_unread_ms', 'errors'],
      rows.map((row) => [
        row.topic,
        row.from.join(' '),
        row.to.join(' '),
        row.records,
        row.rate,
        row.lag,
        row.oldestMs,
        row.errors,
      ]),
      `dataflow-${info.name}`,
    )
  return html`
    <figure class="wide" data-name="dataflow">
      <figcaption><h3>Dataflow of ${info.name}</h3><span class="tools">
        <button type="button" onClick=${() => downloadSvg(picture.current, `dataflow-${info.name}`)} aria-label="Dataflow: download SVG">SVG</button>
        <button type="button" onClick=${csv} aria-label="Dataflow: download CSV">CSV</button>
      </span></figcaption>
      <p class="note">Boxes are stations, pills are topics: records a second over the last ten, <em>waiting</em> records of the reader furthest behind, and the age of the oldest of them. Choose a topic for its partitions, consumers and last records.</p>
      <${Picture} info=${info} rows=${rows} chosen=${settings.topic} picture=${picture} />
    </figure>
    <${TopicPanel} topic=${settings.topic} version=${rows.find(({ topic }) => topic === settings.topic)?.records} close=${() => set({ topic: undefined })} />
    <section class="card">
      <h3>Topics</h3>
      <div class="scroll"><table class="topics"><thead><tr><th>topic</th><th>from</th><th>to</th><th class="n">records</th><th class="n">rate</th><th class="n">waiting</th><th class="n">oldest</th><th class="n">errors</th></tr></thead>
      <tbody>${rows.map(
        (row) => html`<tr>
        <td><a href=${hashOf('dataflow', { ...settings, topic: row.topic })}>${shortTopic(row.topic)}</a></td>
        <td>${row.from.join(', ') || '–'}</td><td>${row.to.join(', ') || '–'}</td>
        <td class="n">${integer(row.records)}</td><td class="n">${rate(row.rate)}</td>
        <td class="n">${integer(row.lag)}</td><td class="n">${row.oldestMs === null ? '–' : age(row.oldestMs)}</td>
        <td class="n">${row.errors > 0 ? html`<a class="bad" href=${hashOf('dead-letters', { topic: row.topic })}>${row.errors}</a>` : 0}</td>
      </tr>`,
      )}</tbody></table></div>
    </section>`
}

/** The topics that stations write or read, with who does. */
function topicsOf({ stations }) {
  const names = new Set(stations.flatMap(({ writes, reads }) => [...writes, ...reads]))
  return [...names].map((topic) => ({
    topic,
    from: stations.filter(({ writes }) => writes.includes(topic)).map(({ name }) => name),
    to: stations.filter(({ reads }) => reads.includes(topic)).map(({ name }) => name),
  }))
}

function flowOf({ topic }, run) {
  const traffic = state.traffic?.topics[topic]
  const lags = lagsOf(topic, run)
  const waiting = lags.filter(({ lag }) => lag > 0)
  const oldest = Math.min(...waiting.map(({ oldestMs }) => oldestMs ?? Number.POSITIVE_INFINITY))
  return {
    records: sum(traffic?.ends ?? []),
    rate: traffic?.ratePerSecond ?? 0,
    lag: lags.length === 0 ? null : Math.max(...lags.map(({ lag }) => lag)),
    oldestMs: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : null,
    errors: errorsWhere((reason) => reason.topic === topic),
  }
}

const lagsOf = (topic, run) =>
  (state.traffic?.lag ?? [])
    .filter((one) => one.topic === topic && (one.run === run || one.run === null))
    .map((one) => ({ ...one, lag: sum(one.partitions) }))

const errorsWhere = (matches) => sum((state.deadLetters?.reasons ?? []).filter(matches).map(({ count }) => count))
const sum = (numbers) => numbers.reduce((total, one) => total + one, 0)

/** The corpus and the run are two pictures, one below the other, where no topic joins them. */
function Picture({ info, rows, chosen, picture }) {
  const drawn = useMemo(() => arrange(info, narrow.matches), [info, narrow.matches])
  const byTopic = new Map(rows.map((row) => [row.topic, row]))
  return html`<div class="sideways"><svg class="flow" ref=${picture} viewBox=${`0 0 ${drawn.width} ${drawn.height}`} style=${`min-width:${Math.round(drawn.width * (narrow.matches ? 0.5 : 0.66))}px`} role="group" aria-label="Dataflow">
    <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z" /></marker></defs>
    ${drawn.edges.map(({ path, topic, to }) => {
      const lag = to === undefined ? undefined : lagsOf(topic, info.name).find(({ station }) => station === to)
      const late = lag?.lag > 0 ? (Date.now() - lag.oldestMs > lateMs ? 'late' : 'waits') : ''
      const flows = byTopic.get(topic)?.rate > 0 ? 'flows' : ''
      return html`<path class=${`edge ${late} ${flows}`} d=${path} marker-end="url(#tip)" />`
    })}
    ${drawn.stations.map(({ name, purpose, state: kept, x, y }) => {
      const errors = errorsWhere(({ station }) => station === name)
      const { width, height } = stationSize(name)
      return html`<g class="station" transform=${`translate(${x - width / 2} ${y - height / 2})`}>
        <title>${name}: ${purpose}${kept ? `. State: ${kept}` : ''}</title>
        <rect width=${width} height=${height} rx="8" />
        <text x="12" y=${errors > 0 ? 22 : 30}>${cut(name)}</text>
        ${errors > 0 && html`<text class="errors" x="12" y="39">${short(errors)} dead letter${errors > 1 ? 's' : ''}</text>`}
      </g>`
    })}
    ${drawn.topics.map(({ topic, x, y }) => {
      const row = byTopic.get(topic)
      const waits = row.lag > 0
      const { width, height } = topicSize(topic)
      return html`<a href=${hashOf('dataflow', { run: info.name, topic })} class=${`topic ${topic === chosen ? 'chosen' : ''}`} aria-label=${`topic ${shortTopic(topic)}: ${integer(row.records)} records, ${rate(row.rate)}, ${integer(row.lag)} waiting`}>
        <g transform=${`translate(${x - width / 2} ${y - height / 2})`}>
          <title>${topic}: ${integer(row.records)} records</title>
          <rect width=${width} height=${height} rx="22" />
          <text class="name" x=${width / 2} y="18">${cut(shortTopic(topic))}</text>
          <text class=${`numbers ${waits ? 'waits' : ''}`} x=${width / 2} y="34">${row.rate > 0 || waits ? `${rate(row.rate)}${waits ? ` · ${short(row.lag)} wait ${age(row.oldestMs ?? 0)}` : ''}` : `${short(row.records)} records`}</text>
        </g>
      </a>`
    })}
  </svg></div>`
}

function arrange(info, isNarrow) {
  const topics = topicsOf(info).filter(({ topic }) => topic !== 'winnow.dead-letters')
  const parts = components(info.stations, topics).map((part) => arrangeOne(part, isNarrow ? 'TB' : 'LR'))
  const width = Math.max(...parts.map((part) => part.width))
  const arranged = { stations: [], topics: [], edges: [], width, height: 0 }
  for (const part of parts) {
    const by = { x: (width - part.width) / 2, y: arranged.height }
    const moved = (node) => ({ ...node, x: node.x + by.x, y: node.y + by.y })
    arranged.stations.push(...part.stations.map(moved))
    arranged.topics.push(...part.topics.map(moved))
    arranged.edges.push(...part.edges.map((edge) => ({ ...edge, path: curve(edge.points.map(moved)) })))
    arranged.height += part.height + 18
  }
  return arranged
}

/** Stations that topics join, directly or over others; the largest first only where the description says so. */
function components(stations, topics) {
  const left = new Set(stations)
  const parts = []
  while (left.size > 0) {
    const part = new Set()
    const reach = (station) => {
      if (!left.delete(station)) return
      part.add(station.name)
      for (const { from, to } of topics) {
        const near = [...from, ...to]
        if (near.includes(station.name)) for (const next of stations) if (near.includes(next.name)) reach(next)
      }
    }
    reach([...left][0])
    parts.push({
      stations: stations.filter(({ name }) => part.has(name)),
      topics: topics.filter(({ from, to }) => [...from, ...to].some((name) => part.has(name))),
    })
  }
  return parts
}

function arrangeOne({ stations, topics }, rankdir) {
  const graph = new graphlib.Graph()
    .setGraph({ rankdir, nodesep: 16, ranksep: 30, marginx: 6, marginy: 8 })
    .setDefaultEdgeLabel(() => ({}))
  for (const { name } of stations) graph.setNode(`s ${name}`, stationSize(name))
  for (const { topic } of topics) graph.setNode(`t ${topic}`, topicSize(topic))
  const edges = topics.flatMap(({ topic, from, to }) => [
    ...from.map((name) => ({ a: `s ${name}`, b: `t ${topic}`, topic })),
    ...to.map((name) => ({ a: `t ${topic}`, b: `s ${name}`, topic, to: name })),
  ])
  for (const { a, b } of edges) graph.setEdge(a, b)
  layout(graph)
  // Edges may run beyond the outermost boxes.
  const all = edges.flatMap(({ a, b }) => graph.edge(a, b).points)
  const range = (axis, size) => [
    Math.min(0, ...all.map((point) => point[axis] - 6)),
    Math.max(size, ...all.map((point) => point[axis] + 6)),
  ]
  const [left, right] = range('x', graph.graph().width)
  const [top, bottom] = range('y', graph.graph().height)
  const moved = ({ x, y }) => ({ x: x - left, y: y - top })
  return {
    stations: stations.map((station) => ({ ...station, ...moved(graph.node(`s ${station.name}`)) })),
    topics: topics.map(({ topic }) => ({ topic, ...moved(graph.node(`t ${topic}`)) })),
    edges: edges.map(({ a, b, topic, to }) => ({ topic, to, points: graph.edge(a, b).points.map(moved) })),
    width: right - left,
    height: bottom - top,
  }
}

/** Through the middles of the points, with the points as handles: smooth, and never outside of them. */
function curve(points) {
  const at = ({ x, y }) => `${x.toFixed(1)} ${y.toFixed(1)}`
  const middle = (a, b) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 })
  let path = `M${at(points[0])}`
  for (let i = 1; i < points.length - 1; i++) {
    const end = i === points.length - 2 ? points[i + 1] : middle(points[i], points[i + 1])
    path += `Q${at(points[i])} ${at(end)}`
  }
  return points.length === 2 ? `${path}L${at(points[1])}` : path
}
