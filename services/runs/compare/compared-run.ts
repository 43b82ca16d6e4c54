import type { Manifest, Progress, RoundClosed, RoundOpened } from '../../../schemas/index.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import { type RunConfig, recordedConfig } from '../../../topologies/run-config.ts'
import { checkSelectionVersion } from '../../../topologies/selection/version.ts'
import type { Runtime } from '../../connections/connections.ts'
import { type RecordedRun, readProgress, readRecordedRun } from '../recorded.ts'
import { recordOf } from '../registry.ts'

/** A run that is compared, as its log has it. */
export interface ComparedRun {
  /** As the command names it. */
  readonly name: string
  readonly runtime: Runtime
  readonly config: RunConfig
  readonly log: RecordedRun
  /** Reports of its trainer, steps ascending; a replay has none. */
  readonly progress: readonly Progress[]
  /** Whose rewards its actors have folded: its own, or those of the run that it replays. */
  readonly rewardsOf: string
}

export interface ComparedRound {
  readonly manifest: Manifest
  readonly opened: RoundOpened
  readonly closed: RoundClosed | undefined
  /** With the changes of its actors up to this round. */
  readonly config: RunConfig
}

/** @throws WinnowError CONFIGURATION if there is no such run, or it has selected nothing, or by another version of SELECTION.md */
export async function comparedRun(name: string, runtime: Runtime, run: string): Promise<ComparedRun> {
  const record = await recordOf(runtime, run)
  checkSelectionVersion(record)
  const [log, progress] = await Promise.all([readRecordedRun(runtime, run), readProgress(runtime, run)])
  return { name, runtime, config: recordedConfig(record), log, progress, rewardsOf: record.replayOf ?? run }
}

/** The rounds that a run has selected, ascending. */
export function comparedRounds({ config, log }: ComparedRun): ComparedRound[] {
  const configuration = configurationBy(config, log.opened)
  return log.manifests.map((manifest) => ({
    manifest,
    opened: log.opened.find(({ round }) => round === manifest.round)!,
    closed: log.closed.find(({ round }) => round === manifest.round),
    config: configuration.at(manifest.round),
  }))
}
