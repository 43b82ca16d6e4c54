/**
 * A labeler of your own, as a process of its own: how much a text shouts. It writes `winnow.labels.case`, which the label sink stores once
 * winnow.yaml has an actor `case` with these subcategories; runs that use it name its version under `labelers`.
 */
import type { Runtime } from '../../services/connections/connections.ts'
import { readingStation } from '../../services/corpus/readable.ts'
import { runStation } from '../../services/runtime/station.ts'
import { corpusStations, type Station } from '../../topologies/dataflow.ts'
import { Labeling, type LabelModel, type LabelResult } from '../../topologies/stations/labeling.ts'

export const subcategories = ['quiet', 'loud', 'shouting']

/** Where one subcategory ends and the next begins, as a share of letters. */
const bounds = [0.1, 0.5]

function labelOf(text: string): LabelResult {
  const letters = text.match(/\p{L}/gu)?.length ?? 0
  if (letters === 0) return { ok: false, reason: 'no-letters', message: 'has no letter' }
  const score = (text.match(/\p{Lu}/gu)?.length ?? 0) / letters
  return { ok: true, subcategory: bounds.filter((bound) => score >= bound).length, score }
}

export const labelModel: LabelModel = {
  actor: 'case',
  // Another rule is another version: labels of one version never change.
  version: 'capitals1',
  label: async (inputs) => inputs.map(({ text }) => labelOf(text)),
}

/** The labeler's station of the dataflow, with this model in it. On Kafka or in memory, it is the same. */
export const station: Station = {
  ...corpusStations([labelModel.actor])[0]!,
  build: (_ports, output) => new Labeling(labelModel, output),
}

/** Runs it on Kafka until it is closed; more processes of the same group share the partitions. */
export const startLabeler = (runtime: Runtime, onFailure: (error: unknown) => void) =>
  runStation({
    ...runtime,
    station,
    // It gets texts as they were ingested, also where corpus.encryption has encrypted them.
    build: readingStation(station.name, runtime, (output) => new Labeling(labelModel, output)),
    groupId: `winnow.labeler-${labelModel.actor}-${labelModel.version}`,
    onFailure,
  })
