import { fixed, integer, short } from './format.js'
import { Failure, html, Loading, Scroll, useAnswer } from './html.js'

/** As the command line shows them: three digits and a power of ten. */
const flops = (value) => (value === 0 ? '0' : value.toExponential(2).replace('e+', 'e'))

/** What two runs, or one, have cost (docs/ledger.md). */
export function Ledger({ a, b, step }) {
  const asked = new URLSearchParams(a === b ? { a } : { a, b })
  const { value, error, waiting } = useAnswer(`/api/ledger?${asked}`, step)
  const totals = value && [
    ...value.runs,
    ...(a === b ? [] : [{ run: 'together, shared work once', ...value.together }]),
  ]
  return html`<section class="card ledger"><div class="head"><h3>Compute</h3></div>
    <${Failure} error=${error} />
    ${!error && (!value || waiting) && html`<${Loading} what="what the runs have cost" />`}
    ${value && !waiting && value.rows.length === 0 && html`<p class="empty">No work is booked yet.</p>`}
    ${
      value &&
      !waiting &&
      value.rows.length > 0 &&
      html`<${Scroll}><table><thead><tr><th>FLOPs</th><th class="n">offline</th><th class="n">online</th><th class="n">overall, as Table 6 counts</th><th class="n">with what it leaves out</th><th class="n">training</th></tr></thead>
    <tbody>${totals.map(({ run, tableSix, everything, training }) => html`<tr><td>${run}</td>${[tableSix.offline, tableSix.online, tableSix.overall, everything.overall, training].map((one) => html`<td class="n">${flops(one)}</td>`)}</tr>`)}</tbody></table><//>
    <${Scroll}><table><thead><tr><th>phase</th><th>work</th><th>of</th><th>for</th><th>model</th><th class="n">parameters</th><th class="n">tokens</th><th class="n">FLOPs</th><th class="n">seconds</th><th>device</th></tr></thead>
    <tbody>${value.rows.map((row) => html`<tr><td>${row.phase}</td><td>${row.purpose}</td><td>${row.subject}</td><td>${row.run ?? 'all runs'}</td><td>${row.model}</td><td class="n">${integer(row.parameters)}</td><td class="n">${short(row.tokens)}</td><td class="n">${flops(row.flops)}</td><td class="n">${fixed(row.seconds, 1)}</td><td>${row.device}</td></tr>`)}</tbody></table><//>`
    }
  </section>`
}
