import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Campaign } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Model } from '../../model/model.ts'
import { readSafetensors } from '../../model/safetensors.ts'
import { createTrainer, type Trainer } from '../../model/trainer.ts'
import { failpoint } from '../../runtime/failpoints.ts'
import { makeFolder } from '../../runtime/make-folder.ts'
import { checkpointPath, latestCheckpoint } from '../../trainer/checkpoints.ts'
import type { StreamPosition } from '../../trainer/packer.ts'
import { DomainStreams, type StreamPorts } from './streams.ts'

/** Checkpoints of a stage; a kill costs the steps since the last one. */
const checkpoints = 10

/** A training of a campaign whose steps are its own, with a state beside the weights. */
export interface Stage<State> {
  /** Part of the folder of its checkpoints. */
  readonly name: string
  /** Goes into checkpoints as JSON. */
  readonly initial: State
  /** One optimizer step. @param at steps done before */
  readonly step: (trainer: Trainer, streams: DomainStreams, state: State, at: number) => Promise<State>
}

export interface StagePorts extends StreamPorts {
  readonly model: Model
  /** Ids by domain. */
  readonly domains: readonly BigUint64Array[]
  /** How much of the stage is trained, from 0 to 1. */
  readonly onShare?: ((share: number) => void) | undefined
}

const metadata = z.object({ plan: z.string(), positions: z.string(), state: z.string() })

/**
 * Trains a stage to its end, from its last checkpoint if there is one: weights, moments, positions and state are those of an undisturbed training, to
 * the bit. Numbers in JSON come back as they were.
 * @returns the trainer at its last step, to be closed by the caller
 * @throws the signal's reason if it aborts
 */
export async function trainStage<State>(
  campaign: Campaign,
  run: RunConfig,
  stage: Stage<State>,
  ports: StagePorts,
  signal: AbortSignal,
): Promise<{ trainer: Trainer; state: State }> {
  const { context, batch, learningRate, warmupSteps, weightDecay } = run.trainer
  const trainer = await createTrainer(ports.model, {
    start: { seed: `${run.selection.seed}` },
    ...{ batch, context, learningRate, warmupSteps, weightDecay, totalSteps: run.steps },
  })
  try {
    const name = stageName(campaign, stage.name)
    const plan = digestOf(campaign)
    const found = await resumed<State>(run, name, plan, trainer)
    let state = found?.state ?? stage.initial
    const streams = new DomainStreams(ports.domains, ports, context, found?.positions)
    const every = Math.ceil(run.steps / checkpoints)
    while (trainer.steps < run.steps) {
      signal.throwIfAborted()
      failpoint('stepping')
      state = await stage.step(trainer, streams, state, trainer.steps)
      if (trainer.steps % every === 0 || trainer.steps === run.steps) {
        const place = { plan, positions: JSON.stringify(streams.positions), state: JSON.stringify(state) }
        const path = checkpointPath(run.checkpoints, name, trainer.steps)
        // What was there may have been of an earlier campaign, or of another worker that has ended.
        makeFolder(dirname(path))
        await trainer.save(path, place)
        failpoint('checkpointed')
      }
      ports.onShare?.(trainer.steps / run.steps)
    }
    return { trainer, state }
  } catch (error) {
    await trainer.close()
    throw error
  }
}

/** Removes the checkpoints of a stage: what it came to is recorded. */
export const removeStage = (campaign: Campaign, run: RunConfig, stage: string): Promise<void> =>
  rm(dirname(checkpointPath(run.checkpoints, stageName(campaign, stage), 0)), { recursive: true, force: true })

const stageName = ({ campaign }: Campaign, stage: string) => `${campaign}-${stage}`

/** Of all that a stage depends on. */
const digestOf = ({ recordedMs: _, ...plan }: Campaign): string =>
  createHash('sha256').update(JSON.stringify(plan)).digest('hex')

/** Where the stage was: its last checkpoint, loaded; undefined at the beginning. */
async function resumed<State>(run: RunConfig, name: string, plan: string, trainer: Trainer) {
  const latest = await latestCheckpoint(run.checkpoints, name)
  if (latest === undefined) return undefined
  const found = metadata.safeParse((await readSafetensors(latest.path)).metadata)
  if (!found.success || found.data.plan !== plan) {
    // Of an earlier campaign of that name, whose topics were deleted.
    await rm(dirname(latest.path), { recursive: true, force: true })
    return undefined
  }
  await trainer.load(latest.path)
  const { positions, state } = found.data
  return { positions: JSON.parse(positions) as StreamPosition[], state: JSON.parse(state) as State }
}
