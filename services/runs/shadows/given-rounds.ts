import type { SelectedRound } from '../../../topologies/console/reads.ts'
import { historyFor } from '../../../topologies/console/shadow-reads.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import { type RunConfig, recordedConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { type RecordedRun, readRecordedRun } from '../recorded.ts'
import { recordOf } from '../registry.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec'>

/** The selections that the trainer of a run was given, ascending, without what was read of them: its own, or, of a shadow, those of the run that it follows. */
export async function givenRounds(runtime: Ports, run: RunConfig, log: RecordedRun): Promise<SelectedRound[]> {
  const given = (of: RunConfig, { opened, manifests }: RecordedRun): SelectedRound[] => {
    const configuration = configurationBy(of, opened)
    return manifests.map((manifest) => ({ run: configuration.at(manifest.round), manifest, read: null }))
  }
  if (run.shadowOf === undefined) return given(run, log)
  const leader = recordedConfig(await recordOf(runtime, run.shadowOf))
  return historyFor(run.name, given(leader, await readRecordedRun(runtime, leader.name)))
}
