import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { type FollowedRun, lookAtRuns } from './followed-run.ts'
import { listRuns } from './registry.ts'
import { isControl } from './run-state.ts'

/**
 * The run that is most likely meant if none is named: the newest that is not a replay or a control and has selected something; else the newest
 * that is not a replay. @throws WinnowError CONFIGURATION if there is none
 */
export async function defaultRun(runtime: Pick<Runtime, 'kafka' | 'codec'>): Promise<string> {
  const own = [...(await listRuns(runtime)).values()].filter(({ replayOf }) => replayOf === null)
  const looked = (await lookAtRuns(runtime, own)).map(({ run }) => run)
  // Runs recorded by earlier versions have no time: the last in the log is the newest.
  const newest = looked.toSorted((a, b) => (a.record.recordedMs ?? 0) - (b.record.recordedMs ?? 0)).reverse()
  const meant = (run: FollowedRun) => run.view.lastManifest !== undefined && !isControl(run.config)
  const found = newest.find(meant) ?? newest[0]
  if (found !== undefined) return found.name
  throw new WinnowError('CONFIGURATION', 'there is no run yet', {
    hint: 'winnow init --run writes one, winnow run create records it.',
  })
}
