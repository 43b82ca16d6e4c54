import type { Runtime } from '../connections/connections.ts'
import { WinnowError } from '../runtime/errors.ts'
import { type FollowedRun, lookAtRuns } from './followed-run.ts'
import { listRuns } from './registry.ts'
import { isControl } from './run-state.ts'

/**
 * The run that a person most likely means who names none: the newest that is no replay and no control and has selected something; else the
 * newest that is no replay.
 * @throws WinnowError CONFIGURATION where there is none
 */
export async function defaultRun(runtime: Pick<Runtime, 'kafka' | 'codec'>): Promise<string> {
  const own = [...(await listRuns(runtime)).values()].filter(({ replayOf }) => replayOf === null)
  const looked = (await lookAtRuns(runtime, own)).map(({ run }) => run)
  // Of runs recorded before that was noted the last in the log is the newest.
  const newest = looked.toSorted((a, b) => (a.record.recordedMs ?? 0) - (b.record.recordedMs ?? 0)).reverse()
  const meant = (run: FollowedRun) => run.view.lastManifest !== undefined && !isControl(run.config)
  const found = newest.find(meant) ?? newest[0]
  if (found !== undefined) return found.name
  throw new WinnowError('CONFIGURATION', 'there is no run yet', {
    hint: 'winnow init --run writes one, winnow run create records it.',
  })
}
