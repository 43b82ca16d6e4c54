import { integer, percent, times } from './format.js'
import { html, Scroll } from './html.js'

/** What sources lose to near duplicates in a selection, beside their share of the documents. */
export function LostToDuplicates({ lost }) {
  if (!lost?.limited || lost.sources.length === 0) return null
  const more = lost.sources.filter((one) => one.more).length
  return html`<section class="card lost"><h3>Lost to near duplicates</h3>
    ${more > 0 && html`<p class="told waits">${more === 1 ? 'One source loses' : `${integer(more)} sources lose`} more than twice the share that is theirs.</p>`}
    <${Scroll}><table><thead><tr><th>source</th><th class="n">documents</th><th class="n">share</th><th class="n">lost</th><th class="n">of the lost</th><th class="n">times its share</th></tr></thead>
    <tbody>${lost.sources.map(
      (one) =>
        html`<tr><td>${one.name ?? one.source}</td><td class="n">${integer(one.documents)}</td><td class="n">${percent(one.share)}</td><td class="n">${integer(one.lostDocuments)}</td><td class="n">${percent(one.lostShare)}</td><td class=${`n ${one.more ? 'bad' : ''}`}>${times(one.ratio)}</td></tr>`,
    )}</tbody></table><//></section>`
}
