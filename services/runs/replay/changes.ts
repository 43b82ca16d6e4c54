import { z } from 'zod'
import { parseRunConfig, type RunConfig, runConfigJson } from '../../../topologies/run-config.ts'
import { parseConfigWith } from '../../../topologies/selection/config.ts'
import { WinnowError } from '../../runtime/errors.ts'

/** Hyperparameters that a replay may change: those that recorded samples and rewards do not depend on. */
const changes = z.strictObject({
  update: z.unknown(),
  rewardTransform: z.unknown(),
  normalize: z.unknown(),
  collaboration: z.unknown(),
  joint: z.unknown(),
  theta: z.unknown(),
  price: z.unknown(),
  firstSelection: z.unknown(),
  unrewarded: z.unknown(),
  repetitionDecay: z.unknown(),
  repeat: z.unknown(),
  budget: z.unknown(),
  duplicates: z.unknown(),
  strategy: z.unknown(),
  actors: z.record(
    z.string(),
    z.strictObject({ eta: z.unknown(), initialWeights: z.unknown(), initialTheta: z.unknown() }).partial(),
  ),
})

/** The run of a replay: the recorded one under another name, with the changes of a file in the form of SELECTION.md's configuration. */
export function replayRun(recorded: RunConfig, name: string, changed: unknown = {}): RunConfig {
  const { actors, ...options } = parseConfigWith(changes.partial(), changed)
  const config = JSON.parse(runConfigJson(recorded)) as {
    selection: { actors: Record<string, object> }
    initializedBy?: Record<string, unknown>
    shadowOf?: string
  }
  // The replay of a shadow follows nobody.
  delete config.shadowOf
  for (const [actor, values] of Object.entries(actors ?? {})) {
    if (!Object.hasOwn(config.selection.actors, actor)) {
      throw new WinnowError('CONFIGURATION', `actors.${actor}: the recorded run has no such actor`)
    }
    Object.assign(config.selection.actors[actor]!, values)
    // Other weights do not come from where the recorded ones came from.
    if ('initialWeights' in values) delete config.initializedBy?.[actor]
  }
  return parseRunConfig({ ...config, name, selection: { ...config.selection, ...options } })
}
