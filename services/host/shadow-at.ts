import { ActorState, Manifest, RoundOpened, runTopics } from '../../schemas/index.ts'
import type { ShadowAt } from '../../topologies/console/promotions.ts'
import { Configuration } from '../../topologies/rounds/configuration.ts'
import { foldedActors } from '../../topologies/selection/joint-cells.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'

/** Where shadows are, by their logs. One that was deleted has not come anywhere. */
export const shadowAtBy =
  ({ kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>): ShadowAt =>
  async (shadow, round) => {
    const { consoleState, actorState } = runTopics(shadow.name)
    const existing = new Set(await kafka.topicNames())
    const configuration = new Configuration(shadow)
    let manifest: Manifest | undefined
    const states = new Map<string, ActorState>()
    for (const { name } of [consoleState, actorState]) {
      if (!existing.has(name)) return undefined
      for await (const records of kafka.read(name, []))
        for (const { value: bytes } of records) {
          const decoded = bytes === null ? undefined : await readable(() => codec.decode(bytes))
          if (decoded?.record === RoundOpened.name) configuration.learn(decoded.value as RoundOpened)
          const at = decoded?.value as { round: number } | undefined
          if (at?.round !== round) continue
          if (decoded?.record === Manifest.name) manifest = decoded.value as Manifest
          if (decoded?.record === ActorState.name)
            states.set((decoded.value as ActorState).actor, decoded.value as ActorState)
        }
    }
    const run = configuration.at(round)
    const folded = foldedActors(run.selection).map((name) => states.get(name))
    if (manifest === undefined || folded.includes(undefined)) return undefined
    return { run, states: folded as ActorState[], theta: manifest.theta }
  }
