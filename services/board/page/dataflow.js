import { useMemo, useRef } from 'preact/hooks'
import { activityOf, errorsWhere, lagsOf, readingOf } from './activity.js'
import { downloadCsv, downloadSvg } from './download.js'
import { arrange, cut, stationSize, topicSize, topicsOf } from './flow-layout.js'
import { age, integer, rate, records, short, shortTopic, sum } from './format.js'
import { html, Scroll, StationLink } from './html.js'
import { NoScores } from './reading.js'
import { hashOf, set } from './route.js'
import { StationPanel } from './station-panel.js'
import { state } from './store.js'
import { TopicPanel } from './topic-panel.js'

/** On a phone the dataflow runs down. */
const narrow = matchMedia('(max-width: 760px)')
/** Below this the smallest letters would be under 11 pixels: the picture scrolls instead. */
const legibleScale = 0.96
/** Records that wait longer than this are shown as a problem. */
const lateMs = 60_000

/** Stations and topics as returned by describe(), with what flows between them now. */
export function Dataflow({ run, settings }) {
  const picture = useRef(null)
  if (run === undefined) {
    return html`<p class="empty">No run is recorded yet. Ingest documents with <code>npx winnow ingest FILES</code>, then create one with <code>npx winnow run create run.yaml</code>.</p>`
  }
  const { info } = run
  const topics = topicsOf(info)
  const selections = `winnow.run.${info.name}.selections`
  const reading = readingOf(run)
  const rows = topics.map((topic) => ({ ...topic, ...flowOf(topic, info.name) }))
  const csv = () =>
    downloadCsv(
      ['topic', 'from', 'to', 'records', 'rate_per_second', 'lag', 'oldest_unread_ms', 'errors'],
      rows.map((row) => [
        row.topic,
        row.from.join(' '),
        row.to.join(' '),
        row.records ?? row.atMost,
        row.rate,
        row.lag,
        row.oldestMs,
        row.errors,
      ]),
      `dataflow-${info.name}`,
    )
  return html`
    <${NoScores} info=${info} />
    <figure class="wide" data-name="dataflow">
      <figcaption><h3>Dataflow of ${info.name}</h3><span class="tools">
        <button type="button" onClick=${() => downloadSvg(picture.current, `dataflow-${info.name}`)} aria-label="Dataflow: download SVG">SVG</button>
        <button type="button" onClick=${csv} aria-label="Dataflow: download CSV">CSV</button>
      </span></figcaption>
      <p class="note">Boxes are stations, with who is connected and their records per second; pills are topics, with records per second over the last ten, the lag of the reader furthest behind, and the age of its oldest waiting record. Choose one for more.</p>
      <${Picture} run=${run} rows=${rows} settings=${settings} picture=${picture} />
    </figure>
    <${StationPanel} run=${run} name=${settings.station} close=${() => set({ station: undefined })} />
    <${TopicPanel} topic=${settings.topic} run=${info.name} version=${rows.find(({ topic }) => topic === settings.topic)?.atMost} close=${() => set({ topic: undefined })} />
    <section class="card">
      <h3>Topics</h3>
      <${Scroll}><table class="topics"><thead><tr><th>topic</th><th>from</th><th>to</th><th class="n">records</th><th class="n">rate</th><th class="n">waiting</th><th class="n">oldest</th><th class="n">errors</th></tr></thead>
      <tbody>${rows.map(
        (row) => html`<tr>
        <td><a href=${hashOf('dataflow', { ...settings, topic: row.topic })}>${shortTopic(row.topic)}</a></td>
        <td>${links(row.from, info.name)}</td><td>${links(row.to, info.name)}</td>
        <td class="n">${records(row)}</td><td class="n">${rate(row.rate)}</td>
        <td class="n">${row.topic === selections ? (reading?.share ?? '–') : integer(row.lag)}</td><td class="n">${row.oldestMs === null ? '–' : age(row.oldestMs)}</td>
        <td class="n">${row.errors > 0 ? html`<a class="bad" href=${hashOf('dead-letters', { topic: row.topic })}>${row.errors}</a>` : 0}</td>
      </tr>`,
      )}</tbody></table><//>
      <p class="note">≤: for topics that the board does not read, records are counted by offsets, which include markers of transactions.</p>
    </section>`
}

const links = (stations, run) =>
  stations.length === 0
    ? '–'
    : stations.map((name, i) => [i > 0 ? ', ' : '', html`<${StationLink} name=${name} run=${run} />`])

function flowOf({ topic }, run) {
  const traffic = state.traffic?.topics[topic]
  const lags = lagsOf(topic, run)
  const waiting = lags.filter(({ lag }) => lag > 0)
  const oldest = Math.min(...waiting.map(({ oldestMs }) => oldestMs ?? Number.POSITIVE_INFINITY))
  return {
    records: traffic?.records ?? null,
    atMost: sum(traffic?.ends ?? []),
    rate: traffic?.ratePerSecond ?? 0,
    lag: lags.length === 0 ? null : Math.max(...lags.map(({ lag }) => lag)),
    oldestMs: Number.isFinite(oldest) ? Math.max(0, Date.now() - oldest) : null,
    errors: errorsWhere((reason) => reason.topic === topic),
  }
}

const settingsOf = (info, changes) => hashOf('dataflow', { run: info.name, ...changes })

/** The layout, with the current activity of each part. */
function Picture({ run, rows, settings, picture }) {
  const { info } = run
  const drawn = useMemo(() => arrange(info, narrow.matches), [info, narrow.matches])
  const byTopic = new Map(rows.map((row) => [row.topic, row]))
  return html`<${Scroll} tall><svg class="flow" ref=${picture} viewBox=${`0 0 ${drawn.width} ${drawn.height}`} style=${`min-width:${Math.round(drawn.width * legibleScale)}px`} role="group" aria-label="Dataflow">
    <defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="tip" d="M0 0L8 4L0 8z" /></marker></defs>
    ${drawn.edges.map(({ path, topic, to }) => {
      const lag = to === undefined ? undefined : lagsOf(topic, info.name).find(({ station }) => station === to)
      const late = lag?.lag > 0 ? (Date.now() - lag.oldestMs > lateMs ? 'late' : 'waits') : ''
      const flows = byTopic.get(topic)?.rate > 0 ? 'flows' : ''
      return html`<a href=${settingsOf(info, { topic })} tabindex="-1" aria-hidden="true"><title>${topic}</title><path class="reach" d=${path} /><path class=${`edge ${late} ${flows}`} d=${path} marker-end="url(#tip)" /></a>`
    })}
    ${drawn.stations.map(({ name, purpose, x, y }) => html`<${StationBox} run=${run} name=${name} purpose=${purpose} x=${x} y=${y} chosen=${name === settings.station} />`)}
    ${drawn.topics.map(({ topic, x, y }) => html`<${TopicPill} info=${info} row=${byTopic.get(topic)} x=${x} y=${y} chosen=${topic === settings.topic} />`)}
  </svg><//>`
}

function StationBox({ run, name, purpose, x, y, chosen }) {
  const errors = errorsWhere(({ station }) => station === name)
  const { width, height } = stationSize(name)
  const { is, brief } = activityOf(name, run)
  const second = errors > 0 ? `${short(errors)} dead letter${errors > 1 ? 's' : ''}` : brief
  return html`<a href=${settingsOf(run.info, { station: name })} class=${`station ${is} ${chosen ? 'chosen' : ''}`} aria-label=${`station ${name}: ${brief}${errors > 0 ? `, ${second}` : ''}`}>
    <g transform=${`translate(${x - width / 2} ${y - height / 2})`}>
      <title>${name}: ${purpose}. ${brief}</title>
      <rect width=${width} height=${height} rx="8" />
      <circle cx="15" cy="18" r="4" />
      <text class="name" x="26" y="22">${cut(name)}</text>
      <text class=${errors > 0 ? 'errors' : 'does'} x="12" y="40">${second}</text>
    </g>
  </a>`
}

function TopicPill({ info, row, x, y, chosen }) {
  const { topic } = row
  const waits = row.lag > 0
  const { width, height } = topicSize(topic)
  return html`<a href=${settingsOf(info, { topic })} class=${`topic ${chosen ? 'chosen' : ''}`} aria-label=${`topic ${shortTopic(topic)}: ${records(row)} records, ${rate(row.rate)}, ${integer(row.lag)} waiting`}>
    <g transform=${`translate(${x - width / 2} ${y - height / 2})`}>
      <title>${topic}: ${records(row)} records</title>
      <rect width=${width} height=${height} rx="22" />
      <text class="name" x=${width / 2} y="18">${cut(shortTopic(topic))}</text>
      <text class=${`numbers ${waits ? 'waits' : ''}`} x=${width / 2} y="34">${row.rate > 0 || waits ? `${rate(row.rate)}${waits ? ` · ${short(row.lag)} wait ${age(row.oldestMs ?? 0)}` : ''}` : `${row.records === null && row.atMost > 0 ? '≤ ' : ''}${short(row.records ?? row.atMost)} records`}</text>
    </g>
  </a>`
}
