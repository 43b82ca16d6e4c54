import { join } from 'node:path'
import type { Command } from 'commander'
import type { ActorChange } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Config } from '../../config/config.ts'
import {
  applyStage,
  changeOf,
  checkFolder,
  influenceActor,
  resolvedIn,
  stageLabeler,
  writeModel,
} from '../../runs/mates/apply.ts'
import { measureElsewhere } from '../../runs/mates/elsewhere.ts'
import { type ProbesOfRun, probesOfRun } from '../../runs/mates/probes-of-run.ts'
import { fitStage, stageSettings } from '../../runs/mates/stage.ts'
import { runNamed, runnable } from '../../runs/registry.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, type Connection, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { roundOption, roundsOption } from './mates-options.ts'
import { labelsOf } from './run-actors.ts'

interface Options extends GlobalOptions {
  readonly round?: number
  readonly rounds: number
  readonly for?: string
  readonly labeler?: string
  readonly out?: string
  readonly json?: boolean
}

export const fitting = (context: CliContext): Command =>
  clusterCommand('fit', 'fits texts to the rewards of a round, and gives the run its predictions as labels')
    .argument('<run>', 'the run whose rewards count')
    .addOption(roundOption())
    .addOption(roundsOption())
    .option('--for <run>', 'the run that selects by the predictions (default: the same)')
    .option('--labeler <actor-or-file>', 'trained elsewhere: it is measured on the rewards, and nothing is fitted')
    .option('--out <folder>', 'receives the model (default: mates/RUN-ROUND-DIGEST beside winnow.yaml)')
    .option('--json', 'the change that was asked for, with its fit, as JSON')
    .addHelpText('after', example('winnow mates fit first', 'winnow mates fit first --round 4 --rounds 3'))
    .action(async (name: string, options: Options) => {
      if (options.labeler !== undefined && options.out !== undefined)
        throw new WinnowError('USAGE', '--labeler names a labeler that is there already: it takes no --out')
      await using connection = await context.connect(options)
      await fitRound(context, connection, await runNamed(connection.runtime, name), options)
    })

/** Fits one stage, asks for its labels, and says so. @throws WinnowError BAD_DATA where the rewards say too little */
export async function fitRound(
  context: CliContext,
  { runtime, config }: Connection,
  run: RunConfig,
  options: Options,
): Promise<void> {
  const target = options.for === undefined ? run : await runNamed(runtime, options.for)
  // Before anything is written.
  await runnable(runtime, target.name)
  influenceActor(target)
  const found = await probesOfRun(runtime, run, options)
  const staged =
    options.labeler === undefined
      ? await fitted(context, config, target, found, options)
      : await given(context, config, target, found, options)
  const { change, work } = staged
  const asked = await applyStage(runtime, target, change, work)
  if (options.json) return await print(context.stdout, `${json({ ...change, recorded: asked })}\n`)
  await print(context.stdout, told(change, asked))
}

interface Staged {
  readonly change: ActorChange
  readonly work?: { readonly flops: number; readonly seconds: number }
}

async function fitted(
  { folder: here }: CliContext,
  { baseFolder }: Config,
  target: RunConfig,
  found: ProbesOfRun,
  { out }: Options,
): Promise<Staged> {
  const actor = influenceActor(target)
  const beganMs = systemClock()
  const stage = await fitStage(found, stageSettings(found.config.selection.seed))
  const seconds = Math.max(0, systemClock() - beganMs) / 1000
  const { run, rounds, inputs } = stage.fit
  const model =
    out === undefined ? join('mates', `${run}-${rounds.at(-1)}-${inputs.slice(0, 8)}`) : resolvedIn(here, out)
  const folder = resolvedIn(baseFolder, model)
  checkFolder(folder)
  await writeModel(folder, stage, actor)
  const change = await changeOf(target.name, {
    ...{ actor, labeler: stageLabeler(actor, model), labelerFolder: baseFolder, fit: stage.fit },
  })
  return { change, work: { flops: stage.flops, seconds } }
}

async function given(
  context: CliContext,
  config: Config,
  target: RunConfig,
  found: ProbesOfRun,
  { labeler: name }: Options,
): Promise<Staged> {
  const actor = influenceActor(target)
  const { labels, folder } = labelsOf(context, config, { labeler: name!, actor: actor.name })
  const { labeler } = labels
  const fit = await measureElsewhere(found, actor, labeler, folder)
  return { change: await changeOf(target.name, { actor, labeler, labelerFolder: folder, fit }) }
}

function told({ run, actor, labelerVersion, labeler, fit }: ActorChange, asked: boolean): string {
  const { probes, rounds, run: of, spearman, measured, chance } = fit!
  const model = (JSON.parse(labeler) as { model?: string }).model ?? labeler
  return [
    `${probes} rewards of ${of}, round ${rounds.join(', ')}`,
    `Spearman correlation with ${measured} that were left out: ${spearman.toFixed(3)} (noise: up to ${chance.toFixed(3)})`,
    `${actor}: version ${labelerVersion}, by ${model}`,
    asked
      ? `${run} selects by it once the corpus is labelled, where winnow dev or winnow up runs: winnow mates list ${run}`
      : `${run} has been asked to select by it before`,
    '',
  ].join('\n')
}
