import { age, integer, number, shortTopic, time } from './format.js'
import { html, Panel, Scroll, useAnswer } from './html.js'
import { RecordValue } from './record-value.js'

/** Partitions, consumers and the last records of a topic. Fetched again as it grows. */
export function TopicPanel({ topic, run, version, close }) {
  const { value, error, waiting } = useAnswer(topic && `/api/topics/${encodeURIComponent(topic)}`, version)
  if (topic === undefined) return null
  return html`<${Panel} title=${topic} what="topic" close=${close} error=${error} waiting=${waiting}>
    ${
      value &&
      html`
      <div class="columns">
        <div><h4>Partitions</h4><${Scroll}><table class="partitions"><thead><tr><th class="n">partition</th><th class="n">next offset</th>${value.consumers.map(({ group }) => html`<th class="n">waiting, ${shortGroup(group, run)}</th>`)}</tr></thead>
          <tbody>${value.ends.map(
            (end, partition) => html`<tr><td class="n">${partition}</td><td class="n">${integer(end)}</td>
            ${value.consumers.map(({ committed }) => html`<td class="n">${committed[partition] === null || committed[partition] === undefined ? '–' : integer(Math.max(0, end - committed[partition]))}</td>`)}</tr>`,
          )}</tbody></table><//></div>
        <div><h4>Consumers</h4>${
          value.consumers.length === 0
            ? html`<p class="empty">no consumer group is connected</p>`
            : html`<${Scroll}><table class="consumers"><thead><tr><th>group</th><th>state</th><th>member</th><th>partitions</th></tr></thead>
          <tbody>${value.consumers.flatMap(({ group, state, members }) => members.map(({ client, host, partitions }) => html`<tr><td title=${group}>${shortGroup(group, run)}</td><td>${state}</td><td>${client} ${host}</td><td>${partitions.join(', ')}</td></tr>`))}</tbody></table><//>`
        }</div>
      </div>
      <h4>Last records</h4>
      ${
        value.records.length === 0
          ? html`<p class="empty">none yet</p>`
          : html`<ul class="records">${value.records.map(
              (record) => html`<li key=${`${record.partition}@${record.offset}`}><details>
        <summary><code>[${record.partition}]@${record.offset}</code> <b>${record.record ?? 'unreadable'}</b> ${record.key !== null && html`<span class="key">${record.key}</span>`} <span class="brief">${brief(record)}</span> <time title=${time(record.atMs)}>${record.atMs ? `${age(Date.now() - record.atMs)} ago` : ''}</time></summary>
        ${record.error ? html`<pre>${record.error}</pre>` : html`<${RecordValue} value=${record.value} />`}
      </details></li>`,
            )}</ul>`
      }`
    }
  <//>`
}

/** Without the run's name and the random end of a group of one member; a labeler's version shortened. */
const shortGroup = (group, run) =>
  shortTopic(group)
    .replace(`${run}.`, '')
    .replace(/\.[0-9a-f-]{36}$/, '')
    .replace(/-([0-9a-f]{6})[0-9a-f]{10}$/, '-$1')

function briefly(part) {
  if (typeof part === 'string' && part.length > 60) return `${part.slice(0, 60)}…`
  return typeof part === 'number' && !Number.isInteger(part) ? number(part) : part
}

function brief({ value, error }) {
  if (error) return error
  if (value === null || typeof value !== 'object') return ''
  return Object.entries(value)
    .filter(([, part]) => part === null || typeof part !== 'object')
    .map(([key, part]) => `${key} ${briefly(part)}`)
    .join(' · ')
}
