import { labelsTopic } from '../../../schemas/index.ts'
import { definitionOf } from '../../../services/connections/connections.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import {
  fillByParity,
  type MemoryRuntime,
  memoryRuntime,
  parityRun,
  recordRun,
  sendByParity,
} from '../../support/memory-runtime.ts'

/** Odd documents help, more the longer they are. */
const rewardOf = (text: string): number => {
  const n = Number(text.split(' ')[1])
  return n % 2 === 0 ? -1 : 1 + n / 100
}

/** Kafka and a store in memory with the documents and labels of `fillByParity`, in their topics too, with a label of another version beside each. */
export async function archivableRuntime(documents: number): Promise<MemoryRuntime> {
  const runtime = await memoryRuntime()
  const { kafka, store } = runtime
  await kafka.createTopics([definitionOf(labelsTopic('parity'), { partitions: 1, recordBytesMax: 8 * 1024 * 1024 })])
  await sendByParity(
    runtime,
    [0, documents],
    (n) => `document ${n}`,
    (n) => 10 + n,
  )
  await fillByParity(store, documents)
  return runtime
}

/** A recorded run of three rounds on an `archivableRuntime`. */
export async function recordedRun(
  selection: object = {},
  documents = 40,
): Promise<{ runtime: MemoryRuntime; run: RunConfig }> {
  const runtime = await archivableRuntime(documents)
  const run = parityRun('original', selection)
  await recordRun(runtime, run, rewardOf)
  return { runtime, run }
}
