import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { RecordType, RecordValue } from '../../schemas/index.ts'
import { Document, Label, labelsTopic, topics } from '../../schemas/index.ts'
import { type Addresses, openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { createLog } from '../../services/runtime/log.ts'
import { runStation, type StationHandle } from '../../services/runtime/station.ts'
import { corpusStations } from '../../topologies/dataflow.ts'
import { documentAt, labelModel, labelOf, subcategories } from './corpus.ts'
import type { OnTestFinished } from './play.ts'
import { groupOf } from './stations.ts'

/** Stations of a corpus in the test's process, on addresses and in a group of their own. */
export interface Pipeline {
  readonly runtime: Runtime
  readonly failures: unknown[]
  /** Another instance of the station. */
  start(station: 'label sink' | 'labeler shape'): Promise<StationHandle>
  readonly group: string
}

export async function openPipeline(addresses: Addresses, onTestFinished: OnTestFinished): Promise<Pipeline> {
  // Loud about what these tests do.
  const runtime = await openRuntime(addresses, createLog('test', 'fatal'))
  const group = `pipeline-${randomUUID().slice(0, 8)}`
  const failures: unknown[] = []
  const handles: StationHandle[] = []
  onTestFinished(async () => {
    for (const handle of handles) await handle.close()
    await runtime.close()
  })
  const start: Pipeline['start'] = async (name) => {
    const station = corpusStations(Object.keys(subcategories)).find((one) => one.name === name)!
    const build = station.build.bind(station, { store: runtime.store, labelModel })
    const onFailure = (error: unknown) => failures.push(error)
    const handle = await runStation({ ...runtime, groupId: groupOf(name, group), station, build, onFailure })
    handles.push(handle)
    return handle
  }
  return { runtime, failures, start, group }
}

let next = 3_000_000
/** Writes documents that nobody has written before, with all their labels where told to. @returns how many documents are in the topic in all */
export async function addDocuments(
  { kafka, codec }: Runtime,
  count: number,
  { labelled = false } = {},
): Promise<number> {
  const producer = await kafka.producer()
  const documents = Array.from({ length: count }, () => documentAt(next++))
  const send = <R extends RecordType>(topic: string, record: R, values: (RecordValue<R> & { docId: bigint })[]) =>
    producer.send(values.map((value) => ({ topic, key: `${value.docId}`, value: codec.encode(record, value) })))
  await send(topics.documents.name, Document, documents)
  for (const actor of labelled ? Object.keys(subcategories) : []) {
    const labels = documents.map(({ docId, text, tokens }) => {
      const label = labelOf(actor, text)
      if (!label.ok) throw new Error('every document of this corpus has its labels')
      return { docId, actor, subcategory: label.subcategory, score: label.score, tokens, version: 'v1' }
    })
    await send(labelsTopic(actor).name, Label, labels)
  }
  await producer.close()
  return (await kafka.endOffsets(topics.documents.name)).reduce((sum, end) => sum + end, 0)
}

const countsOf = async ({ clickHouse }: Runtime) => {
  const [rows] = await clickHouse.sql.query<Record<string, string>>(
    'SELECT count() AS rows, uniqExact(doc) AS documents FROM corpus FINAL WHERE isNotNull(at_document)',
  )
  return { rows: Number(rows!.rows), documents: Number(rows!.documents) }
}

/** Waits until so many documents are in ClickHouse, each once. */
export async function expectSunk(runtime: Runtime, documents: number): Promise<void> {
  await expect.poll(() => countsOf(runtime), { timeout: 60_000, interval: 200 }).toEqual({ rows: documents, documents })
}
