import { Figure } from './figure.js'
import { age, fixed, integer, number, short } from './format.js'
import { html, RunState, Scroll } from './html.js'
import { colorOf, namedLines } from './lines.js'
import { againstControl, lastWith, msLeft, pointsOf, smoothed, speeds } from './losses.js'
import { hashOf, set } from './route.js'
import { state } from './store.js'

const smoothings = { 0: 'none', 0.5: 'a little', 0.8: 'medium', 0.95: 'strong' }
const axes = { tokens: 'equal tokens', minutes: 'minutes since each run began' }

/** Losses of all runs at equal tokens or by time, with the reselections, and against a control. */
export function Training({ settings, theme }) {
  const hidden = new Set((settings.hide ?? '').split(',').filter(Boolean))
  const smoothing = settings.smooth in smoothings ? Number(settings.smooth) : 0
  const by = settings.x === 'minutes' ? 'minutes' : 'tokens'
  const all = [...state.runs.values()].filter(({ progress }) => progress.length > 0)
  const names = all.map(({ info }) => info.name)
  if (all.length === 0) return html`<p class="empty">No trainer has reported yet.</p>`
  const runs = all.filter(({ info }) => !hidden.has(info.name))
  const toggle = (name) => {
    if (!hidden.delete(name)) hidden.add(name)
    set({ hide: [...hidden].join(',') || undefined })
  }
  const strokeOf = ({ series }) => colorOf(names.indexOf(series))
  const figure = (title, name, value, note, points = (run) => pointsOf(run, value, by), x = by, empty = undefined) => {
    const rows = runs.flatMap(points)
    return html`<${Figure} title=${title} name=${name} rows=${rows} theme=${theme} note=${note} redraw=${`${by} ${smoothing}`} empty=${empty}
      draw=${(Plot, drawn, width) =>
        namedLines(Plot, drawn, {
          x,
          y: value,
          width,
          series: names,
          height: 280,
          xFormat: short,
          zero: value === 'difference',
          yFormat: value === 'learningRate' ? (rate) => number(rate) : undefined,
          extent: [value, 'reported'],
          below: [
            ...(x === 'tokens' ? runs.map((run) => reselectionMarks(Plot, run, names)) : []),
            ...(drawn.some((row) => 'reported' in row)
              ? [Plot.lineY(drawn, { x, y: 'reported', z: 'series', stroke: strokeOf, strokeOpacity: 0.3 })]
              : []),
          ],
        })} />`
  }
  const controls = all.filter(({ info }) => info.kind === 'control')
  const control = controls.find(({ info }) => info.name === settings.control) ?? controls.at(-1)
  const less = (value) => (run) => (run === control || !control ? [] : againstControl(run, control, value))
  return html`
    <${Now} runs=${all} />
    <div class="bar"><div class="chips">${names.map((name, i) => html`<button type="button" aria-pressed=${!hidden.has(name)} style=${`--chip:${colorOf(i)}`} onClick=${() => toggle(name)}>${name}</button>`)}</div>
      <label>by <select value=${by} onChange=${(event) => set({ x: event.target.value === 'tokens' ? undefined : event.target.value })}>${Object.entries(axes).map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>
      <label>training loss smoothed <select value=${`${smoothing}`} onChange=${(event) => set({ smooth: event.target.value === '0' ? undefined : event.target.value })}>${Object.entries(smoothings).map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>
      ${controls.length > 1 && html`<label>control <select value=${control.info.name} onChange=${(event) => set({ control: event.target.value })}>${controls.map(({ info }) => html`<option value=${info.name}>${info.name}</option>`)}</select></label>`}</div>
    <p class="note">${by === 'tokens' ? 'All runs at equal tokens. Vertical dashes are reselections.' : 'By the time of the reports: evaluation and waiting for rewards are in it.'}</p>
    <div class="grid">
      ${figure('Loss on the reference', 'loss-reference', 'referenceLoss', 'What rewards are measured for: held-out texts of the reference, nats per token.')}
      ${control && figure(`Reference loss against ${control.info.name}`, 'loss-against-control', 'difference', 'Loss less that of the control, which draws at random, at equal tokens: below zero is better than chance.', less('referenceLoss'), 'tokens', 'no run has come as far as the control')}
      ${figure('Loss on other text', 'loss-corpus', 'corpusLoss', 'Held-out documents of the whole corpus, nats per token.')}
      ${figure(
        'Training loss',
        'loss-training',
        'trainLoss',
        `On what the trainer reads, so it moves with the selection.${smoothing > 0 ? ' Smoothed; faint: as reported.' : ''}`,
        (run) => {
          const points = pointsOf(run, 'trainLoss', by)
          return smoothing === 0 ? points : smoothed(points, 'trainLoss', smoothing)
        },
      )}
      ${figure('Learning rate', 'learning-rate', 'learningRate', "By the run's schedule, as the reference trainer uses it; a trainer of your own may use another.")}
      ${figure('Tokens per second', 'tokens-per-second', 'tokensPerSecond', 'Between reports, including evaluation and waiting.', (run) => pointsOf({ ...run, progress: speeds(run) }, 'tokensPerSecond', by))}
    </div>
    ${runs.map(
      ({ info, progress }) => html`<section class="card" key=${info.name}><h3>Checkpoints of ${info.name}</h3>
      <${Scroll}><table class="checkpoints"><thead><tr><th class="n">step</th><th class="n">tokens</th><th class="n">round</th><th class="n">training loss</th><th class="n">reference loss</th><th class="n">loss on other text</th><th>file</th></tr></thead>
      <tbody>${progress
        .filter(({ checkpoint }) => checkpoint)
        .slice(-20)
        .map(
          (point) =>
            html`<tr><td class="n">${integer(point.step)} / ${integer(info.steps)}</td><td class="n">${integer(point.tokens)}</td><td class="n"><a href=${hashOf('selection', { run: info.name, round: point.round })}>${point.round}</a></td><td class="n">${fixed(point.trainLoss, 4)}</td><td class="n">${fixed(point.referenceLoss, 4)}</td><td class="n">${fixed(point.corpusLoss, 4)}</td><td><code title=${point.checkpoint}>${point.checkpoint.split('/').at(-1)}</code></td></tr>`,
        )}</tbody></table><//></section>`,
    )}`
}

const reselectionMarks = (Plot, run, names) =>
  Plot.ruleX(reselections(run), {
    x: 'tokens',
    stroke: colorOf(names.indexOf(run.info.name)),
    strokeOpacity: 0.28,
    strokeDasharray: '3 3',
  })

/** Where each run is, and how long it still needs. */
const Now = ({
  runs,
}) => html`<section class="card"><${Scroll}><table class="now"><thead><tr><th>run</th><th>is</th><th class="n">step</th><th class="n">tokens</th><th class="n">reference loss</th><th class="n">learning rate</th><th class="n">time left</th></tr></thead>
  <tbody>${runs.map((run) => {
    const { info, status, progress } = run
    const last = progress.at(-1)
    const left = status?.state === 'paused' || status?.state === 'ended' ? null : msLeft(run)
    return html`<tr><td><a href=${hashOf('actors', { run: info.name })}>${info.name}</a>${info.kind === 'control' ? ' (control)' : ''}</td><td><${RunState} status=${status} /></td><td class="n">${integer(last.step)} / ${integer(info.steps)}</td><td class="n">${short(last.tokens)}</td>
    <td class="n">${fixed(lastWith(progress, 'referenceLoss'), 4)}</td><td class="n">${number(last.learningRate)}</td><td class="n">${left === null ? '–' : age(left)}</td></tr>`
  })}</tbody></table><//></section>`

/** The tokens at which a run's later selections began. */
const reselections = ({ rounds, progress }) =>
  rounds.flatMap(({ round, manifest }) => {
    const at = round > 0 && manifest ? progress.find(({ step }) => step >= manifest.step) : undefined
    return at ? [{ tokens: at.tokens, round }] : []
  })
