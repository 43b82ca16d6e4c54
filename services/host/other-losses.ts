import { Progress, runTopics } from '../../schemas/index.ts'
import { type OtherLoss, OtherLosses } from '../../topologies/rounds/other-text.ts'
import type { Runtime } from '../connections/connections.ts'
import { recordsOf } from '../runtime/records-of.ts'

/** What runs have reported of the loss on other text, by their logs. One that has not trained yet, or was deleted, has reported nothing. */
export const otherLossesBy =
  (runtime: Pick<Runtime, 'kafka' | 'codec'>) =>
  async (run: string): Promise<readonly OtherLoss[]> => {
    const { name } = runTopics(run).progress
    const losses = new OtherLosses()
    if (!(await runtime.kafka.topicNames()).includes(name)) return []
    for await (const { record, value } of recordsOf(runtime, name))
      if (record === Progress.name) losses.learn(value as Progress)
    return losses.all
  }
