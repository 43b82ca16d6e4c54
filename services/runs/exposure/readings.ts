import type { Checkpoint, DocumentId } from '../../../schemas/index.ts'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'
import { IdIndex } from '../../../topologies/selection/id-index.ts'
import { timesRead } from '../../../topologies/selection/reads.ts'
import type { Runtime } from '../../connections/connections.ts'
import { selectionIds } from '../../selections/chunks.ts'
import { checkpointsOf, type RecordedTraining, readTraining } from './training.ts'

/** A document that a run's trainer was given. */
export interface Reading {
  readonly docId: DocumentId
  readonly round: number
  /** Global index into the round's selection. */
  readonly index: number
  /** How often it was read there, as of the trainer's last report. */
  readonly times: number
}

/** What a run has read of some documents. */
export interface ReadingsOfRun {
  readonly run: string
  readonly readings: readonly Reading[]
  /** Checkpoints whose model has read some of them, steps ascending: how many, each once. */
  readonly checkpoints: readonly (Checkpoint & { readonly documents: number })[]
}

/**
 * What trainers have read of some documents, by the log alone: every selection that was trained on is read through once.
 * @param runs names; one that has read none is left out
 */
export async function readingsOf(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  documents: Iterable<DocumentId>,
  runs: readonly string[],
): Promise<ReadingsOfRun[]> {
  const wanted = new IdIndex()
  for (const id of documents) wanted.add(Number(id & 0xffffffffn), Number(id >> 32n))
  const names = await runtime.kafka.topicNames()
  const found: ReadingsOfRun[] = []
  for (const run of runs) {
    const training = await readTraining(runtime, run, names)
    const readings = await readingsOfRun(runtime, training, wanted)
    if (readings.length > 0) found.push({ run, readings, checkpoints: checkpointsThatRead(training, readings) })
  }
  return found
}

async function readingsOfRun(
  runtime: Pick<Runtime, 'kafka' | 'codec'>,
  training: RecordedTraining,
  wanted: IdIndex,
): Promise<Reading[]> {
  const last = training.progress.at(-1)
  const readings: Reading[] = []
  if (last === undefined) return readings
  for (const { round, read } of lineageOf(training, last)) {
    const manifest = training.manifests.find((one) => one.round === round)!
    const passed = read ?? manifest.documents
    let index = 0
    for await (const ids of selectionIds(runtime, manifest, 0)) {
      for (const docId of ids) {
        const times = timesRead(index, manifest.documents, passed)
        if (times > 0 && wanted.find(Number(docId & 0xffffffffn), Number(docId >> 32n)) !== -1)
          readings.push({ docId, round, index, times })
        index++
      }
      if (index >= passed) break
    }
  }
  return readings
}

function checkpointsThatRead(training: RecordedTraining, readings: readonly Reading[]) {
  return checkpointsOf(training)
    .map(({ report, checkpoint }) => {
      const reads = new Map(lineageOf(training, report).map(({ round, read }) => [round, read]))
      const documents = new Set<DocumentId>()
      for (const { docId, round, index } of readings) {
        const size = training.manifests.find((one) => one.round === round)!.documents
        if (reads.has(round) && timesRead(index, size, reads.get(round) ?? size) > 0) documents.add(docId)
      }
      return { ...checkpoint, documents: documents.size }
    })
    .filter(({ documents }) => documents > 0)
}
