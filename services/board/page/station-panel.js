import { activityOf, errorsWhere, lagsOf } from './activity.js'
import { age, integer, rate, shortTopic } from './format.js'
import { html, Panel, Scroll, useAnswer } from './html.js'
import { hashOf } from './route.js'
import { state } from './store.js'

/** What a station does, its members, what it reads and writes. Fetched again as its members change. */
export function StationPanel({ run, name, close }) {
  const { info } = run
  const activity = name && activityOf(name, run)
  const path = name && `/api/runs/${encodeURIComponent(info.name)}/stations/${encodeURIComponent(name)}`
  const { value, error, waiting } = useAnswer(path, activity?.members)
  if (name === undefined) return null
  const topicLink = (topic) => html`<a href=${hashOf('dataflow', { run: info.name, topic })}>${shortTopic(topic)}</a>`
  const refused = errorsWhere(({ station }) => station === name)
  return html`<${Panel} title=${name} what="station" close=${close} error=${error} waiting=${waiting}>
    ${
      value &&
      html`<p>${value.purpose}. <span class="note">${activity.words}${value.state ? ` · its state: ${shortTopic(value.state)}` : ''}</span></p>
      <div class="columns">
        <div><h4>Reads</h4>${
          value.reads.length === 0
            ? html`<p class="note">files: winnow ingest</p>`
            : html`<table class="reads"><thead><tr><th>topic</th><th class="n">waiting</th><th class="n">oldest</th></tr></thead><tbody>${value.reads.map(
                (topic) => {
                  const lag = lagsOf(topic, info.name).find(({ station }) => station === name)
                  return html`<tr><td>${topicLink(topic)}</td><td class="n">${integer(lag?.lag)}</td><td class="n">${lag?.lag > 0 ? age(Date.now() - lag.oldestMs) : '–'}</td></tr>`
                },
              )}</tbody></table>`
        }
        ${name === 'trainer' && html`<p class="note">A trainer commits no offsets: its position is in its checkpoint. ${activity.reading}</p>`}</div>
        <div><h4>Writes</h4><table class="writes"><thead><tr><th>topic</th><th class="n">rate</th></tr></thead><tbody>${value.writes.map(
          (topic) =>
            html`<tr><td>${topicLink(topic)}</td><td class="n">${rate(state.traffic?.topics[topic]?.ratePerSecond ?? 0)}</td></tr>`,
        )}</tbody></table>
        ${refused > 0 && html`<p><a class="bad" href=${hashOf('dead-letters', { station: name })}>${integer(refused)} dead letters</a></p>`}</div>
      </div>
      <h4>Members now</h4>
      ${
        value.group === null
          ? html`<p class="note">It has no consumer group: it exists while its command runs.</p>`
          : value.members.length === 0
            ? html`<p class="empty">no member is connected in group <code>${value.group}</code></p>`
            : html`<${Scroll}><table class="members"><thead><tr><th>member</th><th>host</th><th>state</th><th>partitions</th></tr></thead><tbody>${value.members.map(
                ({ client, host, state: now, assigned }) =>
                  html`<tr><td>${client}</td><td>${host}</td><td>${now}</td><td>${Object.entries(assigned).map(([topic, partitions]) => html`<div>${shortTopic(topic)}: ${partitions.join(', ')}</div>`)}</td></tr>`,
              )}</tbody></table><//>`
      }`
    }
  <//>`
}
