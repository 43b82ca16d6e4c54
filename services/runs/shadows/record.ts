import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { runnable, submitRun } from '../registry.ts'
import { replayRun } from '../replay/changes.ts'

/**
 * Records a shadow: a run that follows a live one, with its actors, seed and everything that its samples and rewards depend on, and other hyperparameters or
 * another strategy. It is a replay that goes on as long as its run does.
 * @param changed as of a replay (`replayRun`); nothing: it selects what its leader selects, to the bit
 * @throws WinnowError CONFIGURATION if the run is over, is a shadow or a replay, asks for no rewards, or the changes do not fit it
 */
export async function recordShadow(
  runtime: Runtime,
  leaderName: string,
  name: string,
  changed: unknown,
): Promise<RunConfig> {
  const { run: leader } = await runnable(runtime, leaderName).catch((cause: unknown) => {
    if (!(cause instanceof WinnowError)) throw cause
    throw new WinnowError(cause.code, cause.message, {
      hint: `A shadow follows a live run; what is over is refolded by winnow replay --run ${leaderName} --with FILE.`,
      cause,
    })
  })
  if (leader.shadowOf !== undefined)
    throw new WinnowError('CONFIGURATION', `${leaderName} is a shadow of ${leader.shadowOf} itself`, {
      hint: `Follow that one: winnow run shadow ${leader.shadowOf}.`,
    })
  if (leader.sampleDocuments === 0)
    throw new WinnowError('CONFIGURATION', `run ${leaderName} asks for no rewards, which a shadow would fold`)
  const run: RunConfig = { ...replayRun(leader, name, changed), shadowOf: leader.name }
  await submitRun(runtime, run, leader.name)
  return run
}
