import { createHash } from 'node:crypto'
import { copyFile, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Checkpoint, DocumentId, Progress } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { compareIds } from '../../../topologies/selection/u64.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readable } from '../../corpus/readable.ts'
import { placeOfCheckpoint } from '../../model/checkpoints/place.ts'
import type { Model } from '../../model/model.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { digestOfFiles } from '../../runtime/file-digest.ts'
import { json } from '../../runtime/json.ts'
import { makeFolder } from '../../runtime/make-folder.ts'
import { storeOf } from '../../runtime/stores/place.ts'
import { writeWhole } from '../../runtime/write-whole.ts'
import { checkpointPath } from '../../trainer/checkpoints.ts'
import { train } from '../../trainer/trainer.ts'
import { checkpointMeant } from '../exposure/trained.ts'
import { readTraining } from '../exposure/training.ts'
import { type GivenReading, newestWithout, Stream } from './stream.ts'

/** What a training without some documents has come to. */
export interface RetrainReceipt {
  readonly run: string
  readonly step: number
  readonly atMs: number
  /** Asked to be left out, ascending. */
  readonly documents: readonly DocumentId[]
  /** Where the run had read them until this step. */
  readonly readings: readonly GivenReading[]
  /** The run's own checkpoint. */
  readonly before: Checkpoint
  /** The run's checkpoint from which training went on, which had read none of them; null: from the initial weights. */
  readonly startedFrom: Checkpoint | null
  readonly after: Checkpoint
  /** Nats per token of the new weights, on the held-out part of the reference and on other text. */
  readonly referenceLoss: number | null
  readonly corpusLoss: number | null
}

export interface RetrainOptions {
  readonly without: ReadonlySet<DocumentId>
  /** A checkpoint of the run: its step, path or the beginning of its digest. Left out: the last one. */
  readonly checkpoint?: string | undefined
  readonly folder: string
  readonly now: () => number
  readonly onStep?: (step: number, steps: number) => void
}

/**
 * Trains a run's reference model again on the recorded selections without some documents, which are dropped before packing, by the trainer of the run itself:
 * the weights are those of a training that never read them, bit for bit on the same kind of machine. Nothing is written to the run's topics.
 * Stopped and called again with the same folder it goes on from the last checkpoint there.
 * @returns the receipt, which is also in `retrain.json` of the folder
 * @throws WinnowError CONFIGURATION if the run has no such checkpoint, or the folder is of another retraining; the signal's reason
 */
export async function retrain(
  runtime: Pick<Runtime, 'kafka' | 'codec' | 'log' | 'store' | 'texts'>,
  run: RunConfig,
  model: Model,
  { without, checkpoint, folder, now, onStep = () => {} }: RetrainOptions,
  signal: AbortSignal,
): Promise<RetrainReceipt> {
  const training = await readTraining(runtime, run.name, await runtime.kafka.topicNames())
  const report = checkpointMeant(training, run.name, checkpoint)
  const { step } = report
  const documents = [...without].sort(compareIds)
  const stream = await Stream.read(runtime, training, report, without)
  makeFolder(folder)
  const start = await prepared(folder, run.name, step, documents, () =>
    newestWithout(training, report, stream.readings),
  )
  let last: Progress | undefined
  const { kafka, codec, log } = runtime
  const store = readable(runtime, 'refused')
  await train(
    { ...run, steps: step, checkpoints: folder },
    {
      ...{ kafka, codec, log, store, model, reader: stream, producer: refusing, plannedSteps: run.steps },
      report: async (progress) => {
        last = progress
        onStep(progress.step, step)
      },
      evaluates: (at) => at === step,
    },
    signal,
  )
  const receipt: RetrainReceipt = {
    ...{ run: run.name, step, atMs: now(), documents, readings: stream.readings },
    ...{ before: report.checkpoint, startedFrom: start, after: last!.checkpoint! },
    ...{ referenceLoss: last!.referenceLoss, corpusLoss: last!.corpusLoss },
  }
  await writeWhole(join(folder, 'retrain.json'), `${json(receipt)}\n`)
  return receipt
}

/** What is decided in mode `ready` was decided by the run's own trainer. */
const refusing = {
  send: refuse,
  transaction: refuse,
  close: async () => {},
}

async function refuse(): Promise<never> {
  throw new WinnowError('GUARANTEE_VIOLATED', 'the log does not say which round the trainer read at a step', {
    hint: 'A retraining writes nothing to a run: is its progress topic whole?',
  })
}

/** Says in the folder what it is for, and puts the checkpoint there from which training goes on. */
async function prepared(
  folder: string,
  run: string,
  step: number,
  documents: readonly DocumentId[],
  newest: () => Checkpoint[],
): Promise<Checkpoint | null> {
  const plan = join(folder, 'plan.json')
  const digest = createHash('sha256').update(documents.join()).digest('hex')
  const wanted = json({ run, step, documents: documents.length, digest })
  const found = await readFile(plan, 'utf8').catch(() => undefined)
  if (found !== undefined) {
    const { startedFrom, ...before } = JSON.parse(found)
    if (json(before) === wanted) return startedFrom
    throw new WinnowError('CONFIGURATION', `${folder} holds another retraining: ${found.trim()}`, {
      hint: 'Give a folder of its own: --out.',
    })
  }
  let startedFrom: Checkpoint | null = null
  for (const one of newest()) {
    const from = placeOfCheckpoint(one.path)
    // One that cannot be read is passed over: an earlier one serves as well.
    const found = storeOf(from) === undefined ? await digestOfFiles([from]).catch(() => undefined) : undefined
    if (found !== one.digest) continue
    const to = checkpointPath(folder, run, one.step)
    makeFolder(dirname(to))
    await copyFile(from, to)
    startedFrom = one
    break
  }
  await writeWhole(plan, `${json({ ...JSON.parse(wanted), startedFrom })}\n`)
  return startedFrom
}
