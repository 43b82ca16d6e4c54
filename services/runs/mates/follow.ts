import { setTimeout as sleep } from 'node:timers/promises'
import type { Runtime } from '../../connections/connections.ts'
import { FollowedRun } from '../followed-run.ts'
import { recordOf } from '../registry.ts'

const pollMs = 1000

/**
 * The rounds of a run that may have a stage, each once it is closed with rewards: with `stages` those that wait for one, else the last one that is
 * closed. Ends with the run, or by the signal.
 */
export async function* roundsToFit(runtime: Runtime, name: string, signal: AbortSignal): AsyncGenerator<number> {
  const run = new FollowedRun(await recordOf(runtime, name))
  let told = -1
  while (!signal.aborted) {
    await run.look(runtime, new Set(await runtime.kafka.topicNames()))
    run.record = await recordOf(runtime, name)
    const { view, config } = run
    const { lastClosed: closed } = view
    const isNew =
      closed !== undefined && closed.round > told && (view.opened.get(closed.round)?.samples.length ?? 0) > 0
    const waits = config.stages === undefined || !view.relabelled.has(closed?.round ?? -1)
    if (isNew && waits) {
      told = closed.round
      yield told
      continue
    }
    if (['done', 'ended', 'archived', 'replay'].includes(run.state().state)) return
    await sleep(pollMs, undefined, { signal }).catch(() => {})
  }
}
