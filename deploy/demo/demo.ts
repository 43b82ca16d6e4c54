import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { boardOptions, startBoard } from '../../services/board/board.ts'
import type { CliContext } from '../../services/cli/context.ts'
import type { Config } from '../../services/config/config.ts'
import { loadConfig } from '../../services/config/load.ts'
import { whatHangs } from '../../services/connections/answering.ts'
import { openRuntime, type Runtime } from '../../services/connections/connections.ts'
import { startCorpus } from '../../services/host/corpus.ts'
import { ingest } from '../../services/ingest/ingest.ts'
import { createProgress } from '../../services/ingest/progress.ts'
import { waitForLabels } from '../../services/runs/label-progress.ts'
import { withoutLogin } from '../../services/runtime/address.ts'
import { systemClock } from '../../services/runtime/clock.ts'
import { WinnowError } from '../../services/runtime/errors.ts'
import { createLog } from '../../services/runtime/log.ts'
import { makeFolder } from '../../services/runtime/make-folder.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { demoFolder, openMetrics, runtimeOptions } from '../connect.ts'
import { startCluster } from '../dev/cluster.ts'
import { besideOf } from './beside.ts'
import { type CorpusManifest, type ReferenceName, requireCorpusPackages, sourceNames } from './corpus.ts'
import { corpusInBackground } from './corpus-in-background.ts'
import { demoActors } from './demo-actors.ts'
import { trainerPython } from './python.ts'
import { demoRuns, type TrainerName } from './runs.ts'
import { summaryOf } from './summary.ts'
import { summaryHtml } from './summary-html.ts'
import { summaryText } from './summary-text.ts'
import { startTraining } from './training.ts'

export interface DemoOptions {
  /** Everything that is started is added here, even if the demo fails. */
  readonly started: AsyncDisposableStack
  readonly context: CliContext
  readonly dataFolder: string
  readonly seed: number
  readonly steps: number
  readonly fresh?: boolean
  readonly reference: ReferenceName
  readonly trainer: TrainerName
  /** The summary as JSON on standard output, instead of tables. */
  readonly json?: boolean
  readonly metrics: Config['metrics']
  readonly signal: AbortSignal
  readonly fail: (error: unknown) => void
}

/** Runs the demo to its summary, and leaves everything running. An interrupted demo resumes. */
export async function startDemo({
  started,
  context,
  dataFolder,
  seed,
  steps,
  fresh,
  reference,
  trainer,
  json,
  metrics,
  signal,
  fail,
}: DemoOptions): Promise<void> {
  const began = systemClock()
  const say = (line: string) => {
    const seconds = ((systemClock() - began) / 1000).toFixed(1).padStart(6)
    context.stderr.write(`${seconds} s  ${line}\n`)
  }
  const folder = join(dataFolder, demoFolder)
  const log = createLog('winnow', process.env.WINNOW_LOG_LEVEL ?? 'warn')
  requireCorpusPackages()
  const python = trainer === 'python' ? trainerPython(context.env) : undefined
  makeFolder(folder)
  const corpus = corpusInBackground(join(folder, 'texts'))
  started.defer(() => corpus.close())
  if (corpus.isNew)
    say('building the corpus from texts, mails, manuals and code of installed packages, while everything starts')
  const cluster = await startCluster({
    dataFolder: folder,
    fresh: fresh === true,
    env: context.env,
    log,
    progress: say,
    signal,
    onFailure: fail,
  })
  started.defer(() => cluster.stop())
  signal.throwIfAborted()
  say(
    `broker ${cluster.brokers.join(',')}, registry ${withoutLogin(cluster.registryUrl)}, ClickHouse ${withoutLogin(cluster.clickhouseUrl)}`,
  )
  if (fresh === true) rmSync(join(folder, 'checkpoints'), { recursive: true, force: true })
  const config = demoConfig(folder)
  const measured = await openMetrics({ metrics }, say)
  started.defer(() => measured?.service.close())
  const runtime = await openRuntime(cluster, log, runtimeOptions(config, measured))
  measured?.metrics.dependsOn(() => whatHangs(cluster))
  started.defer(() => runtime.close())
  signal.throwIfAborted()
  const board = await startBoard(runtime, boardOptions(context.env))
  started.defer(() => board.close())
  say(`board: ${board.url}`)
  const { services, versions } = await startCorpus(runtime, config, fail)
  started.defer(() => closeAll(services))
  signal.throwIfAborted()
  const manifest = await corpus.manifest
  await fillCorpus(runtime, config, manifest, { context, signal, say })
  signal.throwIfAborted()

  const options = { seed, steps, actors: config.actors, versions, manifest, folder, reference }
  const { collaborative, control } = demoRuns(options)
  const byPython = demoRuns({ ...options, trainer: 'python' })
  const pairs = [
    { typescript: collaborative.name, python: byPython.collaborative.name },
    { typescript: control.name, python: byPython.control.name },
  ]
  let firstSelectionSeconds: number | null = null
  const onSelected = (round: number) => {
    if (firstSelectionSeconds !== null || round !== 0) return
    firstSelectionSeconds = (systemClock() - began) / 1000
    say(`the first selection, ${firstSelectionSeconds.toFixed(1)} s after the start`)
  }
  measured?.metrics.readiness.serveUntil(signal)
  const ofPython = python === undefined ? undefined : { python, addresses: cluster, folder, env: context.env }
  const training = await startTraining(runtime, { started, fail, say, onSelected, python: ofPython })
  await training.trained([collaborative, control], signal)
  if (python !== undefined) {
    say(`the same two runs by PyTorch (${python})`)
    await training.trained([byPython.collaborative, byPython.control], signal)
  }
  const beside = python === undefined ? undefined : await besideOf(runtime, pairs)
  const own = await summaryOf(runtime, { run: collaborative, control, reference }, manifest, firstSelectionSeconds)
  const summary = beside === undefined ? own : { ...own, beside }
  context.stdout.write(json === true ? `${JSON.stringify(summary, null, 2)}\n` : summaryText(summary))
  const page = join(folder, `summary-${collaborative.name}.html`)
  writeFileSync(page, summaryHtml(summary))
  say(`the summary as a page: ${page}`)
  say('done')
}

/** The demo's configuration, as a file, so that `winnow status` in a second terminal reads the same. */
function demoConfig(folder: string): Config {
  const file = join(folder, 'winnow.yaml')
  makeFolder(folder)
  writeFileSync(file, `# Written by the demo.\n${stringify({ actors: demoActors })}`)
  return loadConfig({ file, dataFolder: folder, env: {} })
}

async function fillCorpus(
  runtime: Runtime,
  config: Config,
  manifest: CorpusManifest,
  { context, signal, say }: Pick<DemoOptions, 'context' | 'signal'> & { say: (line: string) => void },
): Promise<void> {
  const began = systemClock()
  say(`ingesting ${manifest.corpus.documents} documents from ${sourceNames.length} sources: ${sourceNames.join(', ')}`)
  const progress = createProgress(context.stderr, systemClock)
  const result = await ingest({ ...runtime, paths: manifest.corpus.files, clock: systemClock, progress, signal })
  signal.throwIfAborted()
  let before = ''
  const labels = await waitForLabels(runtime, config, {
    signal,
    onProgress: ({ documents, complete }) => {
      const line = `labelled ${complete} of ${documents} documents`
      if (line !== before) say(line)
      before = line
    },
  })
  if (labels.complete !== manifest.corpus.documents) {
    throw new WinnowError(
      'GUARANTEE_VIOLATED',
      `${labels.complete} of ${manifest.corpus.documents} documents are labelled`,
      {
        hint: "Look at 'npx winnow tail dead-letters' while the demo runs.",
      },
    )
  }
  const seconds = (systemClock() - began) / 1000
  if (result.documents > 0) say(`ingested and labelled at ${Math.round(result.documents / seconds)} documents/s`)
  else say('the corpus had been ingested before')
}
