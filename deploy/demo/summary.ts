import type { Manifest, Progress } from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { type Composition, corpusComposition, selectionComposition } from '../../services/runs/composition.ts'
import { readManifests, readProgress } from '../../services/runs/recorded.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { formatFixed, percent, table } from '../../services/terminal/table.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { CorpusManifest } from './corpus.ts'
import { demoReference } from './runs.ts'

/** The results of the two runs, from the log alone. */
export async function summary(
  runtime: Runtime,
  run: RunConfig,
  control: RunConfig,
  corpus: CorpusManifest,
): Promise<string> {
  const [manifests, progress, controlProgress] = await Promise.all([
    readManifests(runtime, run.name),
    readProgress(runtime, run.name),
    readProgress(runtime, control.name),
  ])
  const last = manifests.at(-1)!
  await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'demo summary' })
  const compositions = [
    await corpusComposition(runtime, run, last),
    await selectionComposition(runtime, run, last, reader),
  ] as const
  return [
    '',
    `What was selected, round ${last.round} of ${run.name}, against the corpus (${corpus.corpus.documents} documents)`,
    selected(run, ...compositions),
    '',
    'Weights of the actors and theta by round (equal before round 1)',
    weightsByRound(run, manifests),
    '',
    `Loss in nats per token at equal tokens (reference: held-out ${demoReference}; other text: held-out pieces of all sources)`,
    lossTable(run, control, progress, controlProgress),
    '',
    ...verdict(run, control, progress, controlProgress),
    '',
  ].join('\n')
}

function selected(run: RunConfig, corpus: Composition, selection: Composition): string {
  const share = (counts: readonly number[], j: number) =>
    counts[j]! /
    Math.max(
      1,
      counts.reduce((sum, count) => sum + count, 0),
    )
  const rows = run.selection.actors.flatMap(({ name, subcategories }, a) =>
    subcategories.map((subcategory, j) => {
      const [before, after] = [share(corpus[a]!, j), share(selection[a]!, j)]
      return [
        j === 0 ? name : '',
        subcategory,
        percent(before),
        percent(after),
        before === 0 ? '–' : `${(after / before).toFixed(2)}×`,
      ]
    }),
  )
  const number = true
  return table(
    [
      { title: 'actor' },
      { title: 'subcategory' },
      { title: 'corpus', number },
      { title: 'selected', number },
      { title: 'lift', number },
    ],
    rows,
  )
}

function weightsByRound(run: RunConfig, manifests: readonly Manifest[]): string {
  const rows = run.selection.actors.flatMap(({ name, subcategories }, a) => [
    [name, 'theta', ...manifests.map(({ theta }) => formatFixed(theta[a], 3))],
    ...subcategories.map((subcategory, j) => [
      '',
      subcategory,
      ...manifests.map(({ weights }) => formatFixed(weights[a]![j], 2)),
    ]),
  ])
  const number = true
  return table(
    [{ title: 'actor' }, { title: '' }, ...manifests.map(({ round }) => ({ title: `${round}`, number }))],
    rows,
  )
}

const evaluated = (progress: readonly Progress[]) => progress.filter(({ referenceLoss }) => referenceLoss !== null)

function lossTable(
  run: RunConfig,
  control: RunConfig,
  progress: readonly Progress[],
  controlProgress: readonly Progress[],
): string {
  const ofControl = new Map(evaluated(controlProgress).map((one) => [one.step, one]))
  const number = true
  return table(
    [
      { title: 'step', number },
      { title: 'tokens', number },
      { title: `reference: ${run.name}`, number },
      { title: control.name, number },
      { title: `other text: ${run.name}`, number },
      { title: control.name, number },
    ],
    evaluated(progress).map(({ step, tokens, referenceLoss, corpusLoss }) => {
      const other = ofControl.get(step)
      return [
        `${step}`,
        `${tokens}`,
        formatFixed(referenceLoss, 4),
        formatFixed(other?.referenceLoss, 4),
        formatFixed(corpusLoss, 4),
        formatFixed(other?.corpusLoss, 4),
      ]
    }),
  )
}

/** What one run shows, and what it does not. */
function verdict(
  run: RunConfig,
  control: RunConfig,
  progress: readonly Progress[],
  controlProgress: readonly Progress[],
): string[] {
  const [mine, theirs] = [evaluated(progress).at(-1)!, evaluated(controlProgress).at(-1)!]
  const reference = mine.referenceLoss! - theirs.referenceLoss!
  const corpus = mine.corpusLoss! - theirs.corpusLoss!
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
  const needed = tokensToReach(evaluated(progress), theirs.referenceLoss!)
  return [
    `Reference loss against the control at ${mine.tokens} tokens: ${signed(reference)}. Price on other text: ${signed(corpus)}.`,
    needed === undefined
      ? `${run.name} did not reach ${control.name}'s final reference loss.`
      : `${run.name} reached ${control.name}'s final reference loss with ${percent(needed / theirs.tokens)} of its tokens.`,
    `Seed ${run.selection.seed}; one run is one run: another seed gives other numbers. Selection follows the reference it is given, and this does not show`,
    'that the collaboration of actors beats the best single one: it finds the useful actor without being told.',
  ]
}

/** Tokens at which the loss first falls to a target, interpolated linearly between evaluations. */
function tokensToReach(progress: readonly Progress[], target: number): number | undefined {
  for (const [i, after] of progress.entries()) {
    if (after.referenceLoss! > target) continue
    const before = progress[i - 1]
    if (before === undefined) return after.tokens
    const share = (before.referenceLoss! - target) / (before.referenceLoss! - after.referenceLoss!)
    return before.tokens + share * (after.tokens - before.tokens)
  }
  return undefined
}
