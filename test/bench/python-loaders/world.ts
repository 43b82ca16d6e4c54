import { once } from 'node:events'
import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { createCorpusTopics, openRuntime } from '../../../services/connections/connections.ts'
import { startCorpus } from '../../../services/host/corpus.ts'
import { startRunStations } from '../../../services/host/run.ts'
import { ingest } from '../../../services/ingest/ingest.ts'
import { noProgress } from '../../../services/ingest/progress.ts'
import { openModel } from '../../../services/model/model.ts'
import { labelProgress } from '../../../services/runs/label-progress.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { systemClock } from '../../../services/runtime/clock.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { closeAll, type Service } from '../../../services/runtime/service.ts'
import { SelectionReader } from '../../../services/selections/selection-reader.ts'
import { parseRunConfig } from '../../../topologies/run-config.ts'
import { textOf } from './texts.ts'

const fail = (error: unknown) => {
  throw error
}

/** A labelled corpus, of which a run selects all. */
export interface BenchWorld {
  /** Submits a run, starts its stations and returns once its first selection is there. */
  select(name: string, more: object): Promise<Service[]>
  /** The texts of a run's first selection, in its order, as JSON lines. */
  write(run: string, path: string): Promise<void>
  /** Ends what follows the corpus. */
  close(): Promise<void>
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 200))
}

async function writeLines(path: string, lines: AsyncIterable<object> | Iterable<object>): Promise<void> {
  const file = createWriteStream(path)
  for await (const line of lines) if (!file.write(`${JSON.stringify(line)}\n`)) await once(file, 'drain')
  await new Promise<void>((resolve) => file.end(resolve))
}

export async function openBenchWorld(
  addresses: Parameters<typeof openRuntime>[0],
  folder: string,
  documents: number,
): Promise<BenchWorld> {
  const runtime = await openRuntime(addresses, createLog('bench', 'warn'))
  const actors = { kind: { subcategories: ['a', 'b'], labeler: { kind: 'metadata', path: 'kind' } } }
  const file = join(folder, 'winnow.yaml')
  writeFileSync(file, JSON.stringify({ actors }))
  const config = loadConfig({ folder, env: {}, file })
  await createCorpusTopics(runtime.kafka, config)
  const corpus = await startCorpus(runtime, config, fail)
  const path = join(folder, 'corpus.jsonl')
  const lines = function* () {
    for (let i = 0; i < documents; i++) yield { text: textOf(i), meta: { kind: i % 2 === 0 ? 'a' : 'b' } }
  }
  await writeLines(path, lines())
  await ingest({ ...runtime, paths: [path], clock: systemClock, progress: noProgress })
  await until(
    async () => (await labelProgress(runtime, new Map(Object.entries(corpus.versions)))).complete === documents,
  )
  const reference = join(folder, 'reference.jsonl')
  await writeLines(reference, [{ text: textOf(0) }])
  const model = await openModel({ graphs: demoGraphs })
  return {
    async select(name, more) {
      const run = parseRunConfig({
        name,
        selection: { seed: 5, actors: { kind: { subcategories: ['a', 'b'] } }, budget: { documents } },
        ...{ sampleDocuments: 0, labelers: corpus.versions },
        reference: { reward: reference, evaluation: reference, corpus: reference },
        ...{ model: demoGraphs, checkpoints: join(folder, 'checkpoints') },
        ...more,
      })
      await submitRun(runtime, run)
      const stations = await startRunStations(runtime, run, model, { onFailure: fail })
      await until(async () => (await readManifests(runtime, name)).length > 0)
      return stations
    },
    async write(run, path) {
      await using reader = await SelectionReader.open({ ...runtime, run, reader: 'bench' })
      const [manifest] = await readManifests(runtime, run)
      const texts = async function* () {
        for await (const ids of reader.chunks(manifest!)) {
          const found = await runtime.store.texts(ids)
          for (const id of ids) yield { text: found.get(id)! }
        }
      }
      await writeLines(path, texts())
    },
    async close() {
      await closeAll([...corpus.services, { name: 'model', close: () => model.close() }])
      await runtime.close()
    },
  }
}
