import type { Checkpoint, DocumentId } from '../../../schemas/index.ts'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { timesRead } from '../../../topologies/selection/reads.ts'
import { seedOf } from '../../../topologies/selection/u64.ts'
import type { Runtime } from '../../connections/connections.ts'
import { indexInSelection } from './find.ts'
import { checkpointsOf, readTraining } from './training.ts'

/** A document's place in a selection that trainers could read. */
export interface SelectedIn {
  readonly round: number
  /** Global index into the selection, and how many documents it has. */
  readonly index: number
  readonly documents: number
  /** How often it was read there, as of the trainer's last report. */
  readonly times: number
}

/** What a run has made of a document. */
export interface SeenBy {
  readonly run: string
  readonly selected: readonly SelectedIn[]
  /** Checkpoints whose model has read it, steps ascending, and how often in all. */
  readonly checkpoints: readonly (Checkpoint & { readonly times: number })[]
}

/**
 * Which runs selected a document, and which checkpoints have read it, by the log alone: the stream says where it stands, reports say how far it was read.
 * @param runs as they were recorded; one that has not selected it is left out
 */
export async function seenBy(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  document: DocumentId,
  runs: readonly RunConfig[],
): Promise<SeenBy[]> {
  const names = await runtime.kafka.topicNames()
  const seen = await Promise.all(
    runs.map(async ({ name, selection: { seed } }): Promise<SeenBy> => {
      const training = await readTraining(runtime, name, names)
      const places = new Map<number, { index: number; documents: number }>()
      for (const manifest of training.manifests) {
        const index = await indexInSelection(runtime, manifest, seedOf(seed, manifest.round, 'order'), document)
        if (index !== undefined) places.set(manifest.round, { index, documents: manifest.documents })
      }
      const timesIn = (round: number, read: number | null): number => {
        const place = places.get(round)
        return place === undefined ? 0 : timesRead(place.index, place.documents, read ?? place.documents)
      }
      const last = training.progress.at(-1)
      const now = new Map(last && lineageOf(training, last).map(({ round, read }) => [round, timesIn(round, read)]))
      const checkpoints = checkpointsOf(training).map(({ report, checkpoint }) => {
        const times = lineageOf(training, report).map(({ round, read }) => timesIn(round, read))
        return { ...checkpoint, times: times.reduce((sum, one) => sum + one, 0) }
      })
      return {
        run: name,
        selected: [...places].map(([round, place]) => ({ round, ...place, times: now.get(round) ?? 0 })),
        checkpoints: checkpoints.filter(({ times }) => times > 0),
      }
    }),
  )
  return seen.filter(({ selected }) => selected.length > 0)
}
