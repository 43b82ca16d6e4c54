import { ActorState, Manifest, RoundOpened, runTopics } from '../../schemas/index.ts'
import type { ShadowAt } from '../../topologies/console/promotions.ts'
import { Configuration } from '../../topologies/rounds/configuration.ts'
import { foldedActors } from '../../topologies/selection/joint-cells.ts'
import type { Runtime } from '../connections/connections.ts'
import { recordsOf } from '../runtime/records-of.ts'

/** Where shadows are, by their logs. One that was deleted has not come anywhere. */
export const shadowAtBy =
  (runtime: Pick<Runtime, 'kafka' | 'codec'>): ShadowAt =>
  async (shadow, round) => {
    const { consoleState, actorState } = runTopics(shadow.name)
    const existing = new Set(await runtime.kafka.topicNames())
    const configuration = new Configuration(shadow)
    let manifest: Manifest | undefined
    const states = new Map<string, ActorState>()
    for (const { name } of [consoleState, actorState]) {
      if (!existing.has(name)) return undefined
      for await (const { record, value } of recordsOf(runtime, name)) {
        if (record === RoundOpened.name) configuration.learn(value as RoundOpened)
        if ((value as { round: number }).round !== round) continue
        if (record === Manifest.name) manifest = value as Manifest
        if (record === ActorState.name) states.set((value as ActorState).actor, value as ActorState)
      }
    }
    const run = configuration.at(round)
    const folded = foldedActors(run.selection).map((name) => states.get(name))
    if (manifest === undefined || folded.includes(undefined)) return undefined
    return { run, states: folded as ActorState[], theta: manifest.theta }
  }
