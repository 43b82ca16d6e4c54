import type { DocumentId, Manifest } from '../../../schemas/index.ts'
import type { ReadsSource } from '../../../topologies/console/reads.ts'
import { columnsOf } from '../../../topologies/corpus-store.ts'
import { configurationBy } from '../../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Exposures } from '../../corpus/exposures.ts'
import { WinnowError } from '../../runtime/errors.ts'
import type { RecordedTraining } from './training.ts'

/** Documents that are looked up in the corpus at a time: each page costs a scan of its labels. */
const pageDocuments = 2 ** 19

export interface FillInputs {
  /** As it was recorded. */
  readonly run: RunConfig
  readonly training: RecordedTraining
  readonly selections: ReadsSource
  /** Called after each page. */
  readonly onProgress?: (done: number, total: number) => void
}

export interface RoundToFill {
  readonly round: number
  readonly manifest: Manifest
  /** Documents of the selection. */
  readonly selected: number
  readonly read: number
}

/** Adds to the table what is read of these rounds and not there yet, with the document after it, which may have been begun. */
export async function fillExposures(
  { run, training, selections, onProgress }: FillInputs,
  exposures: Exposures,
  rounds: readonly RoundToFill[],
): Promise<void> {
  const configuration = configurationBy(run, training.opened)
  const there = await exposures.counts()
  const missing = rounds
    .map((round) => {
      const end = Math.min(round.selected, round.read + 1)
      // A page that was interrupted is written again.
      const count = there.get(round.round) ?? 0
      return { ...round, end, from: count >= end ? end : count - (count % pageDocuments) }
    })
    .filter(({ from, end }) => from < end)
  const total = missing.reduce((sum, { from, end }) => sum + end - from, 0)
  let done = 0
  for (const { manifest, round, from, end } of missing) {
    const columns = columnsOf(configuration.at(round))
    let index = from
    let page: DocumentId[] = []
    const write = async () => {
      await exposures.add(round, index, page, columns)
      index += page.length
      done += page.length
      page = []
      onProgress?.(done, total)
    }
    for await (const ids of selections.selection(manifest, from)) {
      page.push(...ids.slice(0, end - index - page.length))
      if (page.length >= pageDocuments) await write()
      if (index + page.length >= end) break
    }
    if (page.length > 0) await write()
  }
  if (missing.length === 0) return
  const now = await exposures.counts()
  for (const { round, end } of missing)
    if ((now.get(round) ?? 0) < end)
      throw new WinnowError(
        'GUARANTEE_VIOLATED',
        `the corpus lacks documents that round ${round} of run ${run.name} has selected`,
        {
          hint: 'Was the database replaced? Let the label sink fill it again (winnow up), and ask again.',
        },
      )
}
