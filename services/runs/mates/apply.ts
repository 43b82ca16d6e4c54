import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import type { ActorChange, LabelerFit } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { ActorConfig } from '../../../topologies/selection/config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { goldenCommand } from '../../labeler/commands/golden.ts'
import { type LabelerConfig, labelerConfig, labelerVersion } from '../../labeler/labeler.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { readChanges, wantChange } from '../actor-changes.ts'
import { bookOutsideWork } from '../book-work.ts'
import type { FittedStage } from './stage.ts'

/** Predictions are in deviations: nothing is below this. */
const scoreMin = -1000

/** The actor whose label scores a run selects by. @throws WinnowError CONFIGURATION if there is none, or it has several subcategories */
export function influenceActor({ name, selection: { strategy, actors } }: RunConfig): ActorConfig {
  const score = strategy?.score
  if (score?.kind !== 'label')
    throw new WinnowError('CONFIGURATION', `run ${name} does not select by the score of an actor's labels`, {
      hint: 'A run with selection.strategy: mates does; see docs/mates.md.',
    })
  const actor = actors.find((one) => one.name === score.actor)!
  if (actor.subcategories.length === 1) return actor
  throw new WinnowError('CONFIGURATION', `actor ${actor.name} of run ${name} has several subcategories`, {
    hint: 'An actor that is there for its score alone has one: subcategories: [all].',
  })
}

/** The labeler of a fitted stage; its model is in a folder. */
export const stageLabeler = (actor: ActorConfig, model: string): LabelerConfig =>
  labelerConfig.parse({ kind: 'hashed', model, ranges: { [actor.subcategories[0]!]: { from: scoreMin } } })

/** Writes a model so that its folder is there with all its files, or not at all. */
export async function writeModel(folder: string, stage: FittedStage, actor: ActorConfig): Promise<void> {
  const partial = join(dirname(folder), `.${basename(folder)}.partial`)
  rmSync(partial, { recursive: true, force: true })
  mkdirSync(partial, { recursive: true })
  writeFiles(partial, stage)
  await goldenCommand({ actor, labeler: stageLabeler(actor, partial), baseFolder: '/', write: true })
  rmSync(folder, { recursive: true, force: true })
  renameSync(partial, folder)
}

export function writeFiles(folder: string, { model, weights }: Pick<FittedStage, 'model' | 'weights'>): void {
  writeFileSync(join(folder, 'weights.bin'), weights)
  writeFileSync(join(folder, 'model.json'), model)
}

export interface Stage {
  readonly actor: ActorConfig
  readonly labeler: LabelerConfig
  /** What paths in `labeler` are relative to. */
  readonly labelerFolder: string
  readonly fit: LabelerFit
}

/** The change that gives a run's actor the labels of a stage. Its id follows from the fit: the same again is the same change. */
export async function changeOf(run: string, { actor, labeler, labelerFolder, fit }: Stage): Promise<ActorChange> {
  const { name, subcategories } = actor
  const version = await labelerVersion({ name, subcategories }, labeler, labelerFolder)
  return {
    ...{
      run,
      id: `mates-${version}-${fit.inputs.slice(0, 16)}`,
      kind: 'relabel',
      actor: name,
      fromRound: null,
      subcategories,
    },
    ...{ eta: 0, initialWeights: [], initialTheta: null, labelerVersion: version },
    ...{ labeler: JSON.stringify(labeler), labelerFolder, recordedMs: systemClock(), fit, mapping: null },
    ...{ by: '', why: '' },
  }
}

/**
 * Asks the run to select by a stage's labels, once they are there, and books what the fit has cost.
 * @returns false if that has been asked for before
 */
export async function applyStage(
  runtime: Runtime,
  run: RunConfig,
  change: ActorChange,
  work: { readonly flops: number; readonly seconds: number } | undefined,
): Promise<boolean> {
  const { waiting, configuration } = await readChanges(runtime, run)
  const known = [...waiting, ...configuration.changes.map((one) => one.change)].some(({ id }) => id === change.id)
  if (known) return false
  if (work !== undefined) await book(runtime, change, work)
  await wantChange(runtime, change)
  return true
}

/** Before the change is recorded: a kill in between repeats both, under the same names. */
async function book(runtime: Runtime, change: ActorChange, work: { flops: number; seconds: number }): Promise<void> {
  const { run, actor, labelerVersion: version, fit } = change
  await bookOutsideWork(runtime, {
    ...{ name: `fit of ${actor} ${version}`, run, purpose: 'fits', subject: `${actor} ${version}` },
    ...{ model: 'hashed', device: 'cpu', factor: 0, parameters: 0, parametersAll: 0 },
    ...{ documents: fit?.probes ?? 0, tokens: 0, ...work },
  })
}

/** @throws WinnowError CONFIGURATION if something else is there */
export function checkFolder(folder: string): void {
  if (!existsSync(folder) || existsSync(join(folder, 'model.json'))) return
  throw new WinnowError('CONFIGURATION', `${folder} is there and holds no model`, {
    hint: 'Name another folder with --out.',
  })
}

export const resolvedIn = (base: string, path: string): string => (isAbsolute(path) ? path : join(base, path))
