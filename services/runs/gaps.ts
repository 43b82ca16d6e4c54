import type { Gap } from '../../schemas/index.ts'
import { recordedConfig } from '../../topologies/run-config.ts'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { covers, recordedGaps } from '../runtime/gaps.ts'
import { holeInWords, holeName } from '../runtime/kafka/hole.ts'
import type { PartitionLog } from '../runtime/kafka/port.ts'
import { recordedPositions } from '../runtime/log-positions.ts'
import { labelerVersions } from './label-progress.ts'
import type { Watched } from './lag.ts'
import { findLogTrouble, type LogTrouble } from './log-trouble.ts'
import { listRuns } from './registry.ts'

/** Recorded gaps, and those that no station has met yet because it does not run. */
export async function allGaps(runtime: Runtime, config: Config): Promise<Gap[]> {
  const configs = [...(await listRuns(runtime)).values()].map((record) => recordedConfig(record))
  const watched = { labelers: await labelerVersions(config), runs: configs }
  return await withRecorded(runtime, await logTrouble(runtime, watched))
}

/** See `findLogTrouble`. */
export async function logTrouble({ kafka, codec, store }: Runtime, watched: Watched): Promise<LogTrouble> {
  const positions = await recordedPositions(kafka, codec).catch(noneYet)
  return await findLogTrouble(kafka, watched, positions, await store.committed())
}

/** Those that keep stations waiting, or will as soon as they start. */
export const openGaps = async (runtime: Runtime, trouble: LogTrouble): Promise<Gap[]> =>
  (await withRecorded(runtime, trouble)).filter(({ accepted }) => !accepted)

const withRecorded = async ({ kafka, codec }: Runtime, { holes }: LogTrouble): Promise<Gap[]> =>
  gapsOf(await recordedGaps(kafka, codec).catch(noneYet), holes)

/** Recorded gaps, and the holes that none of them covers. */
export function gapsOf(recorded: readonly Gap[], holes: LogTrouble['holes']): Gap[] {
  const found = new Map<string, Gap>()
  for (const hole of holes)
    if (!recorded.some((gap) => covers(gap, hole))) found.set(holeName(hole), { ...hole, accepted: false })
  return [...recorded, ...found.values()]
}

/** A cluster whose services are of an earlier version has no topic of gaps. */
function noneYet(error: unknown): [] {
  if (error instanceof WinnowError && error.code === 'CONFIGURATION') return []
  throw error
}

export const gapInWords = (gap: Gap): string =>
  `gap ${holeName(gap)}: ${holeInWords(gap)}; ${gap.station} waits: winnow gaps list`

export const heldBackInWords = ({ topic, partition, stable, end }: PartitionLog): string =>
  `held back: ${topic}[${partition}]: a transaction that stays open at ${stable} hides ${end - stable} records from every reader (kafka-transactions.sh find-hanging)`
