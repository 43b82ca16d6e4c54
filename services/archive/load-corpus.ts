import { labelsTopic, topics } from '../../schemas/index.ts'
import { givenBefore } from '../../topologies/console/reads.ts'
import { recordEarlierReads } from '../../topologies/console/selecting.ts'
import { readsFor } from '../../topologies/console/shadow-reads.ts'
import type { Delivered } from '../../topologies/node.ts'
import { configurationBy } from '../../topologies/rounds/configuration.ts'
import { rewardedRun } from '../../topologies/run-config.ts'
import { LabelSink } from '../../topologies/stations/label-sink.ts'
import type { Runtime } from '../connections/connections.ts'
import { readRecordedRun } from '../runs/recorded.ts'
import { runNamed } from '../runs/registry.ts'
import { givenRounds } from '../runs/shadows/given-rounds.ts'
import { readable } from '../runtime/codec.ts'
import { selectionsOf } from '../selections/chunks.ts'
import type { ArchiveManifest } from './format.ts'

/** Records, or bytes of them, that are written into the corpus store at a time. */
const batchRecords = 65_536
const batchBytes = 16 * 1024 * 1024

/** Writes documents, labels, exclusions and sketches of an archive into its corpus store, as the label sink does: what it rejects, it rejects here. */
export async function loadCorpus(
  { kafka, codec, store }: Pick<Runtime, 'kafka' | 'codec' | 'store'>,
  { topics: archived }: Pick<ArchiveManifest, 'topics'>,
  onProgress: (done: number, total: number) => void,
): Promise<void> {
  const refused = async () => []
  const sink = new LabelSink(store, { send: refused, transaction: (work) => work(refused), deadLetter: () => {} })
  const inCorpus = new Set<string>([topics.documents.name, topics.exclusions.name, topics.sketches.name])
  const isLabels = labelsTopic('').name
  const ofCorpus = archived.filter(({ name }) => inCorpus.has(name) || name.startsWith(isLabels))
  const total = ofCorpus.flatMap(({ ends }) => ends).reduce((sum, end) => sum + end, 0)
  let before = 0
  for (const { name, ends } of ofCorpus) {
    let batch: Delivered[] = []
    let bytes = 0
    for await (const records of kafka.read(name)) {
      for (const { topic, partition, offset, value } of records) {
        const decoded = value === null ? undefined : await readable(() => codec.decode(value))
        if (decoded === undefined) continue
        batch.push({ topic, partition, offset, ...decoded })
        bytes += value!.length
      }
      const { partition, offset } = records.at(-1)!
      onProgress(before + ends.slice(0, partition).reduce((sum, end) => sum + end, offset), total)
      if (batch.length < batchRecords && bytes < batchBytes) continue
      await sink.process(batch)
      batch = []
      bytes = 0
    }
    if (batch.length > 0) await sink.process(batch)
    before += ends.reduce((sum, end) => sum + end, 0)
  }
}

/** Records in the corpus store what the trainer had read when the last selection was made, as the console did. */
export async function restoreReads(runtime: Pick<Runtime, 'kafka' | 'codec' | 'store'>, name: string): Promise<void> {
  const run = await runNamed(runtime, name)
  const log = await readRecordedRun(runtime, name)
  const last = log.manifests.at(-1)!.round
  const history = givenBefore(last, await givenRounds(runtime, run, log), log.opened)
  const selections = readsFor(rewardedRun(run), selectionsOf(runtime))
  const ofLast = configurationBy(run, log.opened).at(last)
  const opened = log.opened.find(({ round }) => round === last)!
  await recordEarlierReads({ run: ofLast, history, store: runtime.store, selections }, { ...opened, reads: [] })
}
