import { useState } from 'preact/hooks'
import { errorsWhere } from './activity.js'
import { downloadCsv } from './download.js'
import { Figure } from './figure.js'
import { integer, shortTopic } from './format.js'
import { ChangeButton, Failure, html, Scroll, StationLink } from './html.js'
import { centred } from './lines.js'
import { hashOf, set } from './route.js'
import { ask, state } from './store.js'

/** What was rejected, by reason, with its bytes. */
export function DeadLetters({ settings, theme }) {
  const letters = state.deadLetters
  if (!letters || letters.total === 0) return html`<p class="empty">No dead letters: nothing was rejected.</p>`
  const { reason, station, topic, at } = settings
  const matches = (one) =>
    (!reason || one.reason === reason) && (!station || one.station === station) && (!topic || one.topic === topic)
  const last = letters.last.filter(matches)
  const chosen = letters.last.find((one) => `${one.at}` === at)
  const matching = errorsWhere(matches)
  const filter = reason || station || topic ? { reason, station, topic } : { all: true }
  const rows = letters.reasons.map((one) => ({
    reason: one.reason,
    station: one.station,
    topic: one.topic ?? 'a file',
    count: one.count,
  }))
  const csv = () =>
    downloadCsv(
      ['offset', 'station', 'reason', 'origin', 'message', 'bytes'],
      last.map((one) => [one.at, one.station, one.reason, one.origin, one.message, one.bytes]),
      'dead-letters',
    )
  return html`
    <${Figure} title=${`${integer(letters.total)} dead letters by reason`} name="dead-letters-by-reason" rows=${rows} theme=${theme} wide
      draw=${(Plot, all, width) => ({
        height: new Set(all.map((row) => row.reason)).size * 30 + 66,
        marginLeft: Math.min(width * 0.4, 190),
        marginRight: 50,
        marginBottom: 42,
        x: {
          label: 'dead letters',
          grid: true,
          ticks: 6,
          tickFormat: (value) => (Number.isInteger(value) ? String(value) : ''),
          ...centred,
        },
        y: { label: null },
        color: {
          type: 'categorical',
          legend: true,
          range: ['var(--c1)', 'var(--c2)', 'var(--c3)', 'var(--c4)', 'var(--c5)', 'var(--c6)'],
        },
        marks: [
          Plot.barX(all, {
            x: 'count',
            y: 'reason',
            fill: 'station',
            rx: 3,
            insetTop: 3,
            insetBottom: 3,
            sort: { y: '-x' },
          }),
          Plot.tip(
            all,
            Plot.pointerY(
              Plot.stackX({
                x: 'count',
                y: 'reason',
                fill: 'var(--surface)',
                stroke: 'var(--line)',
                title: (row) => `${row.reason}\n${row.station}\n${shortTopic(row.topic)}: ${row.count}`,
              }),
            ),
          ),
        ],
      })} />
    <section class="card">
      <div class="head"><h3>Latest</h3>
        <label>reason <select value=${reason ?? ''} onChange=${(event) => set({ reason: event.target.value || undefined })}><option value="">all</option>${[...new Set(letters.reasons.map((one) => one.reason))].map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
        <label>station <select value=${station ?? ''} onChange=${(event) => set({ station: event.target.value || undefined })}><option value="">all</option>${[...new Set(letters.reasons.map((one) => one.station))].map((one) => html`<option value=${one}>${one}</option>`)}</select></label>
        ${topic && html`<button type="button" onClick=${() => set({ topic: undefined })}>${shortTopic(topic)} ✕</button>`}
        <span class="tools"><button type="button" onClick=${csv} aria-label="Dead letters: download CSV">CSV</button></span></div>
      <${Redrive} key=${JSON.stringify([reason, station, topic])} what=${`all ${integer(matching)}`} request=${filter} />
      <${Scroll}><table class="letters"><thead><tr><th class="n">no.</th><th>station</th><th>reason</th><th>origin</th><th class="n">bytes</th><th>what was wrong</th></tr></thead>
      <tbody>${last.map(
        (
          one,
        ) => html`<tr class=${one === chosen ? 'chosen' : ''} tabindex="0" role="button" onClick=${() => set({ at: one === chosen ? undefined : one.at })} onKeyDown=${(event) => event.key === 'Enter' && set({ at: one.at })}>
        <td class="n">${one.at}</td><td>${one.station}</td><td>${one.reason}</td><td><code>${one.origin}</code></td><td class="n">${integer(one.bytes)}</td><td class="brief">${one.message}</td></tr>`,
      )}</tbody></table><//>
    </section>
    ${chosen && html`<${Letter} key=${chosen.at} letter=${chosen} />`}`
}

/** Sends rejected records to their topics again, after a confirmation: the cause should be fixed first. */
function Redrive({ what, request }) {
  const [asked, setAsked] = useState(false)
  const [working, setWorking] = useState(false)
  const [done, setDone] = useState()
  const [problem, setProblem] = useState()
  const send = async () => {
    setWorking(true)
    setProblem(undefined)
    try {
      setDone(await ask('/api/dead-letters/redrive', request))
    } catch (error) {
      setProblem(error.message)
    }
    setWorking(false)
    setAsked(false)
  }
  return html`<div class="redrive">
    ${
      asked
        ? html`<span>Is the cause fixed? Records that were accepted before have no further effect; what is still invalid is rejected again.</span><button type="button" class="primary" disabled=${working} onClick=${send}>Send ${what} again</button><button type="button" onClick=${() => setAsked(false)}>Cancel</button>`
        : html`<${ChangeButton} type="button" onClick=${() => setAsked(true)}>Re-drive ${what}<//>`
    }
    ${done && html`<span class="note" role="status">${integer(done.sent)} sent again${done.refused > 0 ? `, ${integer(done.refused)} not: ${done.firstRefused[0].refused}` : ''}</span>`}
    <${Failure} error=${problem} />
  </div>`
}

function Letter({ letter }) {
  const [asText, setAsText] = useState(true)
  const bytes =
    letter.value === null ? null : Uint8Array.from(atob(letter.value), (character) => character.charCodeAt(0))
  return html`<section class="card letter"><div class="head"><h3>Dead letter ${letter.at}</h3><button type="button" onClick=${() => set({ at: undefined })} aria-label="Close dead letter">Close</button></div>
    <p>${letter.message}</p><p class="note"><${StationLink} name=${letter.station} /> · ${letter.reason} · <${Origin} origin=${letter.origin} /> · ${integer(letter.bytes)} bytes${bytes && bytes.length < letter.bytes ? `, the first ${bytes.length} shown` : ''}</p>
    <${Redrive} what="this one" request=${{ offsets: [letter.at] }} />
    ${
      bytes === null
        ? html`<p class="empty">it had no value</p>`
        : html`<div class="chips"><button type="button" aria-pressed=${asText} onClick=${() => setAsText(true)}>text</button><button type="button" aria-pressed=${!asText} onClick=${() => setAsText(false)}>bytes</button></div>
    <pre class="bytes">${asText ? new TextDecoder().decode(bytes) : hexOf(bytes)}</pre>`
    }</section>`
}

/** A place in a topic leads to the topic. */
function Origin({ origin }) {
  const topic = /^(.+)\[\d+\]@\d+$/.exec(origin)?.[1]
  const where = html`<code>${origin}</code>`
  return topic ? html`<a href=${hashOf('dataflow', { topic })}>${where}</a>` : where
}

/** In the format of hexdump -C. */
function hexOf(bytes) {
  const lines = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.slice(at, at + 16)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    lines.push(
      `${at.toString(16).padStart(6, '0')}  ${hex.padEnd(48)} ${row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '.')).join('')}`,
    )
  }
  return lines.join('\n')
}
