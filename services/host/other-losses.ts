import { Progress, runTopics } from '../../schemas/index.ts'
import { type OtherLoss, OtherLosses } from '../../topologies/rounds/other-text.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'

/** What runs have reported of the loss on other text, by their logs. One that has not trained yet, or was deleted, has reported nothing. */
export const otherLossesBy =
  ({ kafka, codec }: Pick<Runtime, 'kafka' | 'codec'>) =>
  async (run: string): Promise<readonly OtherLoss[]> => {
    const { name } = runTopics(run).progress
    const losses = new OtherLosses()
    if (!(await kafka.topicNames()).includes(name)) return []
    for await (const records of kafka.read(name, []))
      for (const { value: bytes } of records) {
        const decoded = bytes === null ? undefined : await readable(() => codec.decode(bytes))
        if (decoded?.record === Progress.name) losses.learn(decoded.value as Progress)
      }
    return losses.all
  }
