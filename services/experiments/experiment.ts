import { createHash } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ActorLabels } from '../config/config.ts'
import { modelResources, openModel } from '../model/model.ts'
import type { Log } from '../runtime/log.ts'
import { type Cell, cellsOf, type TaskFiles } from './cells.ts'
import { readCorpus } from './corpus.ts'
import type { Plan } from './plan.ts'
import { otherRewardsOf, referencesOf } from './references.ts'
import { Results } from './results.ts'
import { type ExperimentSummary, summarize } from './summary.ts'
import { summaryHtml } from './summary-html.ts'
import { type TrainOptions, trainCells } from './train-cells.ts'

/** What a plan's corpus stands for; all paths absolute. */
export interface CorpusSource {
  readonly files: readonly string[]
  readonly textField: string
  readonly other: string
  readonly tasks: Readonly<Record<string, TaskFiles>>
  readonly actors: readonly ActorLabels[]
}

export interface ExperimentOptions extends Pick<TrainOptions, 'workers' | 'goesOn' | 'onDone' | 'onCell'> {
  /** The experiment's own folder: results of cells, summary.json and summary.html. */
  readonly out: string
  readonly log: Log
  /** Summarizes what is finished, and trains nothing. */
  readonly reportOnly?: boolean
  readonly onLabelled?: (done: number, total: number) => void
}

/**
 * Trains what of a plan has no result yet and compares what is finished.
 * @throws WinnowError CONFIGURATION naming the plan's file and place; the signal's reason if it aborts. Finished cells are kept, and a later call goes on
 */
export async function experiment(
  plan: Plan,
  source: CorpusSource,
  options: ExperimentOptions,
  signal: AbortSignal,
): Promise<ExperimentSummary> {
  const { out, log, onLabelled } = options
  const corpus = await readCorpus({ ...source, baseFolder: dirname(plan.file) }, onLabelled, signal)
  await using model = await openModel({
    graphs: plan.model,
    ...modelResources({ checkpointMiBMax: 1024, device: 'cpu' }),
  })
  const work = join(out, 'work')
  // Of a kill: cells begin anew.
  rmSync(work, { recursive: true, force: true })
  const { graphs } = model.description
  const cells = cellsOf(plan, {
    ...{ corpus, actors: source.actors, other: source.other },
    references: await referencesOf(plan, source.tasks, out),
    otherRewards: await otherRewardsOf(plan, source.other, out),
    model: createHash('sha256').update(JSON.stringify(graphs)).digest('hex'),
    checkpoints: (cell) => join(work, `${cell}`),
  })
  const results = new Results(out)
  if (options.reportOnly !== true) await trainCells(cells, { ...options, corpus, model, results, log }, signal)
  const summary = summarize(plan, cells, finishedOf(cells, results))
  writeFileSync(join(out, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`)
  writeFileSync(join(out, 'summary.html'), summaryHtml(basename(plan.file).replace(/\.[^.]+$/, ''), summary))
  return summary
}

function finishedOf(cells: readonly Cell[], results: Results) {
  const found = cells.flatMap((cell) => {
    const result = results.of(cell)
    return result === undefined ? [] : [[cell, result] as const]
  })
  return new Map(found)
}
