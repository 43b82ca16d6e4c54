import { RoundOpened } from '../../../schemas/index.ts'
import { withLabels } from '../../../topologies/console/opening.ts'
import { viewOptions } from '../../../topologies/console/selecting.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import type { RecordedRun } from '../recorded.ts'

/**
 * A recorded run whose openings have the labels of their samples, as if it had been recorded with `collaboration: joint`: where they do not, they are
 * read from the corpus as of the opening's label offsets.
 * @param run as it was recorded
 */
export async function withSampleLabels(
  { store }: Pick<Runtime, 'store'>,
  run: RunConfig,
  log: RecordedRun,
): Promise<RecordedRun> {
  const configuration = configurationBy(run, log.opened)
  const labelled = new Map<number, RoundOpened>()
  for (const opened of log.opened) {
    if (opened.samples.every(({ held }) => held > 0)) continue
    const ofRound = configuration.at(opened.round)
    const corpus = await store.view({ ...viewOptions(ofRound, opened.labelOffsets, []), readsOf: null })
    labelled.set(opened.round, { ...opened, samples: await withLabels(opened.samples, ofRound, corpus) })
  }
  const of = (opened: RoundOpened) => labelled.get(opened.round) ?? opened
  return {
    ...log,
    opened: log.opened.map(of),
    decisions: log.decisions.map((one) =>
      one.record === RoundOpened.name ? { ...one, value: of(one.value as RoundOpened) } : one,
    ),
  }
}
