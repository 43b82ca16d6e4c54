import { age, integer, shortTopic, time } from './format.js'
import { Failure, html, useAnswer } from './html.js'

/** Partitions, consumers and the last records of a topic. Asked again as it grows. */
export function TopicPanel({ topic, version, close }) {
  const { value, error } = useAnswer(topic && `/api/topics/${encodeURIComponent(topic)}`, version)
  if (topic === undefined) return null
  return html`<section class="card panel" data-topic=${topic}>
    <div class="head"><h3>${topic}</h3><button type="button" onClick=${close} aria-label="Close topic">Close</button></div>
    <${Failure} error=${error} />
    ${
      value &&
      html`
      <div class="columns">
        <div><h4>Partitions</h4><div class="scroll"><table class="partitions"><thead><tr><th class="n">partition</th><th class="n">next offset</th>${value.consumers.map(({ group }) => html`<th class="n">waiting, ${shortGroup(group)}</th>`)}</tr></thead>
          <tbody>${value.ends.map(
            (end, partition) => html`<tr><td class="n">${partition}</td><td class="n">${integer(end)}</td>
            ${value.consumers.map(({ committed }) => html`<td class="n">${committed[partition] === null || committed[partition] === undefined ? '–' : integer(Math.max(0, end - committed[partition]))}</td>`)}</tr>`,
          )}</tbody></table></div></div>
        <div><h4>Consumers</h4>${
          value.consumers.length === 0
            ? html`<p class="empty">no consumer group is connected</p>`
            : html`<div class="scroll"><table class="consumers"><thead><tr><th>group</th><th>state</th><th>member</th><th>partitions</th></tr></thead>
          <tbody>${value.consumers.flatMap(({ group, state, members }) => members.map(({ client, host, partitions }) => html`<tr><td title=${group}>${shortGroup(group)}</td><td>${state}</td><td>${client} ${host}</td><td>${partitions.join(', ')}</td></tr>`))}</tbody></table></div>`
        }</div>
      </div>
      <h4>Last records</h4>
      ${
        value.records.length === 0
          ? html`<p class="empty">none yet</p>`
          : html`<ul class="records">${value.records.map(
              (record) => html`<li key=${`${record.partition}@${record.offset}`}><details>
        <summary><code>[${record.partition}]@${record.offset}</code> <b>${record.record ?? 'unreadable'}</b> ${record.key !== null && html`<span class="key">${record.key}</span>`} <span class="brief">${brief(record)}</span> <time title=${time(record.atMs)}>${record.atMs ? `${age(Date.now() - record.atMs)} ago` : ''}</time></summary>
        <pre>${record.error ?? JSON.stringify(record.value, null, 2)}</pre>
      </details></li>`,
            )}</ul>`
      }`
    }
  </section>`
}

/** Without the random end of a group of one member; a labeler's version shortened. */
const shortGroup = (group) =>
  shortTopic(group)
    .replace(/\.[0-9a-f-]{36}$/, '')
    .replace(/-([0-9a-f]{6})[0-9a-f]{10}$/, '-$1')

function brief({ value, error }) {
  if (error) return error
  if (value === null || typeof value !== 'object') return ''
  return Object.entries(value)
    .filter(([, part]) => part === null || typeof part !== 'object')
    .map(([key, part]) => `${key} ${typeof part === 'string' && part.length > 60 ? `${part.slice(0, 60)}…` : part}`)
    .join(' · ')
}
