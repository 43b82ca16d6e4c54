import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import type { ActorChange, LabelerFit } from '../../../schemas/index.ts'
import { firstDifference } from '../../../topologies/campaign/refit.ts'
import { inputsDigest } from '../../../topologies/mates/probes.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { labelerVersion } from '../../labeler/labeler.ts'
import type { RegressionSettings } from '../../labeler/regression.ts'
import { readRecordedRun } from '../recorded.ts'
import { runNamed } from '../registry.ts'
import { stageLabeler, writeFiles } from './apply.ts'
import { type ProbesOfRun, probesOfRun } from './probes-of-run.ts'
import { fitStage } from './stage.ts'

/** What became of a fit that gave a run's actor its labels. */
export interface RefittedStage {
  readonly of: 'labels'
  readonly actor: string
  readonly round: number
  readonly version: string
  /** elsewhere: only what it was measured on is computed again. */
  readonly regressor: 'hashed' | 'elsewhere'
  readonly same: boolean
  readonly firstDifference: string | null
}

const settingsSchema = z.looseObject({ regressor: z.enum(['hashed', 'elsewhere']) })

/** Computes the fits of a run's labels again from the log, those that a round has taken, and compares them and the versions to the bit. */
export async function refitStages(runtime: Runtime, run: RunConfig): Promise<RefittedStage[]> {
  const { opened } = await readRecordedRun(runtime, run.name)
  const found: RefittedStage[] = []
  for (const { round, change } of configurationBy(run, opened).changes) {
    if (change.fit === null) continue
    const { regressor } = settingsSchema.parse(JSON.parse(change.fit.settings))
    const difference = await differenceOf(runtime, run, change, change.fit, regressor)
    found.push({
      ...{ of: 'labels', actor: change.actor, round, version: change.labelerVersion, regressor },
      ...{ same: difference === undefined, firstDifference: difference ?? null },
    })
  }
  return found
}

async function differenceOf(
  runtime: Runtime,
  run: RunConfig,
  change: ActorChange,
  was: LabelerFit,
  regressor: RefittedStage['regressor'],
): Promise<string | undefined> {
  const probed = was.run === run.name ? run : await runNamed(runtime, was.run)
  const which = { round: was.rounds.at(-1)!, rounds: was.rounds.length }
  const probes = await probesOfRun(runtime, probed, which)
  if (regressor === 'elsewhere')
    return firstDifference(was.inputs, inputsDigest({ ...probes, settings: was.settings }), 'inputs')
  const { regressor: _, ...settings } = JSON.parse(was.settings) as RegressionSettings & { regressor: string }
  return await refitted(run, change, was, probes, settings)
}

async function refitted(
  run: RunConfig,
  { actor: name, labelerVersion: version }: ActorChange,
  was: LabelerFit,
  probes: ProbesOfRun,
  settings: RegressionSettings,
): Promise<string | undefined> {
  const stage = await fitStage(probes, settings)
  const actor = run.selection.actors.find((one) => one.name === name)!
  const folder = mkdtempSync(join(tmpdir(), 'winnow-refit-'))
  try {
    writeFiles(folder, stage)
    const again = await labelerVersion(actor, stageLabeler(actor, folder), '/')
    return firstDifference(was, stage.fit) ?? firstDifference(version, again, 'version')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
