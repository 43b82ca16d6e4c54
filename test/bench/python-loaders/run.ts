/**
 * Loaders for PyTorch on the same documents in one run: SelectedStream, from ClickHouse and from a token store, beside Hugging Face datasets with
 * StatefulDataLoader, MosaicML Streaming and litdata. Documents are ingested, labelled and selected as always; loaders.py reads them.
 * Run by hand on a quiet machine: node test/bench/python-loaders/run.ts [documents]. Makes its own environment with PyTorch in a temporary
 * folder (several GB); PYTHON names one that has requirements.txt already.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { startCluster } from '../../../deploy/dev/cluster.ts'
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
import { closeAll } from '../../../services/runtime/service.ts'
import { SelectionReader } from '../../../services/selections/selection-reader.ts'
import { parseRunConfig } from '../../../topologies/run-config.ts'
import { start } from '../scale/children.ts'
import { textOf } from './texts.ts'

const documents = Number(process.argv[2] ?? 20_000)
const log = createLog('bench', 'warn')
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const fail = (error: unknown) => {
  throw error
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 200))
}

function python(): string {
  if (process.env.PYTHON !== undefined) return process.env.PYTHON
  const made = join(folder, 'python')
  execFileSync('python3', ['-m', 'venv', made])
  const pip = (...args: string[]) =>
    execFileSync(join(made, 'bin/python'), ['-m', 'pip', 'install', '-q', ...args], { stdio: 'inherit' })
  const needed = join(import.meta.dirname, 'requirements.txt')
  pip('-r', needed, join(import.meta.dirname, '../../../services/trainer/python'))
  pip('--no-deps', 'mosaicml-streaming==0.13.0')
  return join(made, 'bin/python')
}

/** A run that selects all documents, and its first selection. */
async function selected(addresses: Parameters<typeof openRuntime>[0]): Promise<string> {
  const runtime = await openRuntime(addresses, log)
  const config = loadConfig({
    folder,
    env: {},
    file: write('winnow.yaml', {
      actors: { kind: { subcategories: ['a', 'b'], labeler: { kind: 'metadata', path: 'kind' } } },
    }),
  })
  await createCorpusTopics(runtime.kafka, config)
  const corpus = await startCorpus(runtime, config, fail)
  const lines = createWriteStream(join(folder, 'corpus.jsonl'))
  for (let i = 0; i < documents; i++) {
    const line = JSON.stringify({ text: textOf(i), meta: { kind: i % 2 === 0 ? 'a' : 'b' } })
    if (!lines.write(`${line}\n`)) await once(lines, 'drain')
  }
  await new Promise<void>((resolve) => lines.end(resolve))
  const paths = [join(folder, 'corpus.jsonl')]
  await ingest({ ...runtime, paths, clock: systemClock, progress: noProgress })
  await until(
    async () => (await labelProgress(runtime, new Map(Object.entries(corpus.versions)))).complete === documents,
  )
  const reference = write('reference.jsonl', { text: textOf(0) })
  const run = parseRunConfig({
    name: 'loaders',
    selection: { seed: 5, actors: { kind: { subcategories: ['a', 'b'] } }, budget: { documents } },
    ...{ updateSteps: 1_000_000, steps: 1_000_000, sampleDocuments: 0, labelers: corpus.versions },
    reference: { reward: reference, evaluation: reference, corpus: reference },
    ...{ model: demoGraphs, checkpoints: join(folder, 'checkpoints') },
  })
  await submitRun(runtime, run)
  const model = await openModel({ graphs: demoGraphs })
  const stations = await startRunStations(runtime, run, model, { onFailure: fail })
  await until(async () => (await readManifests(runtime, run.name)).length > 0)
  // The documents in the order of the selection, for all others.
  const reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'bench' })
  const [manifest] = await readManifests(runtime, run.name)
  const ordered = createWriteStream(join(folder, 'selected.jsonl'))
  for await (const ids of reader.chunks(manifest!)) {
    const texts = await runtime.store.texts(ids)
    for (const id of ids) ordered.write(`${JSON.stringify({ text: texts.get(id)! })}\n`)
  }
  await new Promise<void>((resolve) => ordered.end(resolve))
  await reader.close()
  await closeAll([...stations, ...corpus.services, { name: 'model', close: () => model.close() }])
  await runtime.close()
  return run.name
}

function write(name: string, content: object): string {
  writeFileSync(join(folder, name), `${JSON.stringify(content)}\n`)
  return join(folder, name)
}

const server = start('server.ts', join(folder, 'clickhouse'))
try {
  const interpreter = python()
  const [clickhouseUrl] = await new Promise<[string]>((resolve) => server.lines.once('line', (line) => resolve([line])))
  const env = { ...process.env, WINNOW_CLICKHOUSE_URL: clickhouseUrl }
  const cluster = await startCluster({ dataFolder: join(folder, 'data'), log, env })
  try {
    const { brokers, registryUrl } = cluster
    const run = await selected({ brokers, registryUrl, clickhouseUrl })
    const services = join(import.meta.dirname, '../../../services')
    const { status } = spawnSync(
      interpreter,
      [
        join(import.meta.dirname, 'loaders.py'),
        run,
        join(folder, 'selected.jsonl'),
        join(demoGraphs, 'tokenizer.json'),
      ],
      {
        stdio: 'inherit',
        cwd: folder,
        env: {
          ...env,
          PYTHONPATH: ['trainer', 'runtime'].map((room) => join(services, room, 'python')).join(':'),
          WINNOW_BROKERS: brokers.join(','),
          WINNOW_REGISTRY_URL: registryUrl,
          HF_HOME: join(folder, 'huggingface'),
          HF_HUB_OFFLINE: '1',
        },
      },
    )
    process.exitCode = status ?? 1
  } finally {
    await cluster.stop()
  }
} finally {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
