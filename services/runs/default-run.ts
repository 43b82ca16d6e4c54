import type { Run } from '../../schemas/index.ts'
import { isControl } from '../../topologies/selects-by.ts'
import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { FollowedRun } from './followed-run.ts'
import { listRuns } from './registry.ts'

/**
 * The run that is most likely meant if none is named: the newest that is not a replay or a control and has selected something; else the newest
 * that is not a replay. @throws WinnowError CONFIGURATION if there is none
 */
export async function defaultRun(runtime: Pick<Runtime, 'kafka' | 'codec'>): Promise<string> {
  const shown = (record: Run) => record.replayOf === null && record.life !== 'archived'
  const own = [...(await listRuns(runtime)).values()].filter(shown)
  // Runs recorded by earlier versions have no time: the last in the log is the newest.
  const newest = own
    .toSorted((a, b) => (a.recordedMs ?? 0) - (b.recordedMs ?? 0))
    .reverse()
    .map((record) => new FollowedRun(record))
  const existing = new Set(await runtime.kafka.topicNames())
  for (const run of newest) {
    if (isControl(run.config)) continue
    await run.look(runtime, existing)
    if (run.view.lastManifest !== undefined) return run.name
  }
  const [found] = newest
  if (found !== undefined) return found.name
  throw new WinnowError('CONFIGURATION', 'there is no run yet', {
    hint: 'winnow init --run writes one, winnow run create records it.',
  })
}
