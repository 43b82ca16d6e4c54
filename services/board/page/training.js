import { Figure } from './figure.js'
import { fixed, integer, short } from './format.js'
import { html } from './html.js'
import { colorOf, namedLines } from './lines.js'
import { set } from './route.js'
import { state } from './store.js'

/** Losses of all runs at equal tokens, with the reselections. */
export function Training({ settings, theme }) {
  const hidden = new Set((settings.hide ?? '').split(',').filter(Boolean))
  const all = [...state.runs.values()].filter(({ progress }) => progress.length > 0)
  const names = all.map(({ info }) => info.name)
  if (all.length === 0) return html`<p class="empty">No trainer has reported yet.</p>`
  const runs = all.filter(({ info }) => !hidden.has(info.name))
  const toggle = (name) => {
    if (!hidden.delete(name)) hidden.add(name)
    set({ hide: [...hidden].join(',') || undefined })
  }
  const figure = (title, name, value, note, points = pointsOf) => {
    const rows = runs.flatMap((run) =>
      points(run)
        .map((point) => ({ series: run.info.name, tokens: point.tokens, step: point.step, [value]: point[value] }))
        .filter((row) => row[value] !== null),
    )
    return html`<${Figure} title=${title} name=${name} rows=${rows} theme=${theme} note=${note}
      draw=${(Plot, drawn, width) =>
        namedLines(Plot, drawn, {
          x: 'tokens',
          y: value,
          width,
          series: names,
          height: 280,
          xFormat: short,
          below: runs.flatMap((run) => [
            Plot.ruleX(reselections(run), {
              x: 'tokens',
              stroke: colorOf(names.indexOf(run.info.name)),
              strokeOpacity: 0.28,
              strokeDasharray: '3 3',
            }),
          ]),
        })} />`
  }
  return html`
    <div class="chips">${names.map((name, i) => html`<button type="button" aria-pressed=${!hidden.has(name)} style=${`--chip:${colorOf(i)}`} onClick=${() => toggle(name)}>${name}</button>`)}</div>
    <p class="note">All runs at equal tokens. Upright dashes are reselections.</p>
    <div class="grid">
      ${figure('Loss on the reference', 'loss-reference', 'referenceLoss', 'What rewards are measured for: held-out texts of the reference, nats a token.')}
      ${figure('Loss on other text', 'loss-corpus', 'corpusLoss', 'Held-out documents of the whole corpus, nats a token.')}
      ${figure('Training loss', 'loss-training', 'trainLoss', 'Of what the trainer reads, so it moves with the selection.')}
      ${figure('Tokens a second', 'tokens-per-second', 'tokensPerSecond', 'Between reports; evaluation and waiting count.', speeds)}
    </div>
    ${runs.map(
      ({ info, progress }) => html`<section class="card" key=${info.name}><h3>Checkpoints of ${info.name}</h3>
      <div class="scroll"><table class="checkpoints"><thead><tr><th class="n">step</th><th class="n">tokens</th><th class="n">round</th><th class="n">training loss</th><th class="n">reference loss</th><th class="n">loss on other text</th></tr></thead>
      <tbody>${progress
        .filter(({ checkpoint }) => checkpoint)
        .slice(-20)
        .map(
          (point) =>
            html`<tr><td class="n">${integer(point.step)} / ${integer(info.steps)}</td><td class="n">${integer(point.tokens)}</td><td class="n">${point.round}</td><td class="n">${fixed(point.trainLoss, 4)}</td><td class="n">${fixed(point.referenceLoss, 4)}</td><td class="n">${fixed(point.corpusLoss, 4)}</td></tr>`,
        )}</tbody></table></div></section>`,
    )}`
}

const pointsOf = ({ progress }) => progress

const speeds = ({ progress }) =>
  progress.flatMap((point, i) => {
    const before = progress[i - 1]
    const seconds = before && point.atMs !== null && before.atMs !== null ? (point.atMs - before.atMs) / 1000 : 0
    return seconds > 0 && point.tokens > before.tokens
      ? [{ ...point, tokensPerSecond: (point.tokens - before.tokens) / seconds }]
      : []
  })

/** The tokens at which a run's later selections began. */
const reselections = ({ rounds, progress }) =>
  rounds.flatMap(({ round, manifest }) => {
    const at = round > 0 && manifest ? progress.find(({ step }) => step >= manifest.step) : undefined
    return at ? [{ tokens: at.tokens, round }] : []
  })
