import { Progress, RoundAdopted, runTopics } from '../../schemas/index.ts'
import type { CorpusStore } from '../../topologies/corpus-store.ts'
import type { Booking } from '../../topologies/ledger/booking.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { tokensIn } from '../model/influence.ts'
import type { Model } from '../model/model.ts'
import { readReference } from '../model/reference.ts'
import { createTrainer, type Trainer } from '../model/trainer.ts'
import type { Codec } from '../runtime/codec.ts'
import { WinnowError } from '../runtime/errors.ts'
import { failpoint } from '../runtime/failpoints.ts'
import type { Kafka, OutgoingRecord, Producer } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import { prepareWriting } from '../runtime/stores/open-store.ts'
import { storeOf } from '../runtime/stores/place.ts'
import type { SelectionReader } from '../selections/selection-reader.ts'
import { checkpointMetadata, checkpointPath, latestCheckpoint, saveCheckpoint } from './checkpoints.ts'
import { type PackedBatch, packBatches, type StreamPosition } from './packer.ts'
import { beginning, byLag, Ready, readDecisions, readyEvery, type Switching } from './switching.ts'
import { tokensOf } from './tokens.ts'
import { WorkBook } from './work-book.ts'

export interface TrainerPorts {
  readonly reader: Pick<SelectionReader, 'documents'> & Partial<Pick<SelectionReader, 'newest'>>
  readonly store: Pick<CorpusStore, 'texts'>
  readonly model: Model
  /** Transactional: another trainer of the run fences it off. */
  readonly producer: Producer
  readonly codec: Codec
  /** Needed for mode `ready`, with the reader's `newest`. */
  readonly kafka?: Pick<Kafka, 'read'>
  readonly log: Log
  readonly onProgress?: (progress: Progress) => void
  /** Where progress is reported. Left out: to the topic of the run, with the beginnings of rounds. */
  readonly report?: (progress: Progress) => Promise<void>
  /** After which steps held-out losses are measured. Left out: at the start, and where a round ends. */
  readonly evaluates?: (step: number) => boolean
  /** Steps that the learning rate is planned for. Left out: the run's own; more: the run is the beginning of a longer training. */
  readonly plannedSteps?: number
  /** Left out: the ledger gets nothing. */
  readonly booking?: Booking | undefined
}

type Evaluate = (step: number) => Promise<{ referenceLoss: number; corpusLoss: number }>

interface Place {
  round: number
  position: StreamPosition
  documentsRead: number
}

/**
 * The reference trainer: reads the selected-index stream, packs batches, trains, evaluates on held-out text, and at every U-th step writes a
 * checkpoint and reports it. It goes on to the next selection when the run's mode says: at once, waiting for it, or later. After a kill at any point it
 * resumes from its last checkpoint, identical to the bit.
 */
export async function train(run: RunConfig, ports: TrainerPorts, signal: AbortSignal): Promise<void> {
  const { context, batch } = run.trainer
  await using opened = new AsyncDisposableStack()
  const trainer = await createTrainer(ports.model, {
    start: { seed: `${run.selection.seed}` },
    batch,
    context,
    learningRate: run.trainer.learningRate,
    warmupSteps: run.trainer.warmupSteps,
    totalSteps: ports.plannedSteps ?? run.steps,
    weightDecay: run.trainer.weightDecay,
  })
  opened.defer(() => trainer.close())
  const { place, checkpoint } = await startingPlace(run, trainer)
  const [reference, corpus] = await Promise.all(
    [run.reference.evaluation, run.reference.corpus].map((path) =>
      readReference(path, ports.model, context, run.reference.samplesMax),
    ),
  )
  const book = new WorkBook(run.name, ports, batch * context, trainer.steps)
  const heldOut = [...reference!, ...corpus!]
  const evaluate: Evaluate = async (step) => {
    const losses = {
      referenceLoss: (await trainer.evaluate(reference!)).loss,
      corpusLoss: (await trainer.evaluate(corpus!)).loss,
    }
    await book.evaluated(step, heldOut.length, tokensIn(heldOut))
    return losses
  }
  await new TrainingLoop(run, ports, trainer, book, evaluate).go(place, checkpoint, signal)
}

const placeOfRound = (round: number): Place => ({ round, position: { document: 0, token: 0 }, documentsRead: 0 })

/** The position and checkpoint to resume from: the last one written, or the beginning. */
async function startingPlace(
  run: RunConfig,
  trainer: Trainer,
): Promise<{ place: Place; checkpoint: Progress['checkpoint'] }> {
  await prepareWriting(run.checkpoints)
  const latest = await latestCheckpoint(run.checkpoints, run.name)
  if (latest === undefined) return { place: placeOfRound(0), checkpoint: null }
  const { metadata, digest } = await trainer.load(latest.path).catch((error: unknown) => {
    throw error instanceof WinnowError && error.code === 'BAD_DATA'
      ? unusable(latest.path, error.message, error)
      : error
  })
  const place = checkpointMetadata.safeParse(metadata)
  if (!place.success) throw unusable(latest.path, `${latest.path} does not say where its training was`, place.error)
  const { run: owner, round, document, token, documentsRead } = place.data
  if (owner !== run.name) {
    throw new WinnowError('POSITION_REFUSED', `${latest.path} is a checkpoint of run ${owner}, not of ${run.name}`, {
      hint: 'Give each run a checkpoints folder of its own.',
    })
  }
  return { place: { round, position: { document, token }, documentsRead }, checkpoint: { ...latest, digest } }
}

const unusable = (path: string, what: string, cause: unknown): WinnowError =>
  new WinnowError('BAD_DATA', what, {
    hint: `Remove ${storeOf(path) === undefined ? `the file (rm ${path})` : 'the object'} and start again: training resumes from the checkpoint before it, or from the beginning, and writes an identical one.`,
    cause,
  })

const otherRound = (step: number, { round }: Place, switching: Switching): WinnowError =>
  new WinnowError(
    'POSITION_REFUSED',
    `the checkpoint of step ${step} was trained on round ${round}, and the run on round ${switching.before(step)}`,
    { hint: 'Resume with a checkpoint of this run, or start the run again under another name.' },
  )

class TrainingLoop {
  readonly #run: RunConfig
  readonly #ports: TrainerPorts
  readonly #trainer: Trainer
  readonly #book: WorkBook
  readonly #evaluate: Evaluate
  #losses: number[] = []

  constructor(run: RunConfig, ports: TrainerPorts, trainer: Trainer, book: WorkBook, evaluate: Evaluate) {
    this.#run = run
    this.#ports = ports
    this.#trainer = trainer
    this.#book = book
    this.#evaluate = evaluate
  }

  async go(start: Place, checkpoint: Progress['checkpoint'], signal: AbortSignal): Promise<void> {
    // A loaded checkpoint is reported again: a kill may have come between writing and reporting it.
    await this.#report(start, true, checkpoint)
    const switching = await this.#switching()
    const resumed = this.#trainer.steps
    if (resumed > 0 && start.round !== switching.before(resumed)) throw otherRound(resumed, start, switching)
    let place = start
    while (this.#trainer.steps < this.#run.steps) {
      const round = await switching.next(this.#trainer.steps, place.round)
      const begins = round !== place.round || this.#trainer.steps === 0
      place = await this.#read(begins ? placeOfRound(round) : place, begins ? place : undefined, switching, signal)
    }
  }

  /** Trains until another round begins. @param before where the training was, if it begins with this round; @returns where it is */
  async #read(from: Place, before: Place | undefined, switching: Switching, signal: AbortSignal): Promise<Place> {
    const { steps, updateSteps, trainer } = this.#run
    let place = from
    let begins = before
    for await (const packed of this.#batches(from.round, from.position, signal)) {
      signal.throwIfAborted()
      if (begins !== undefined) await this.#begin(from.round, begins)
      begins = undefined
      failpoint('stepping')
      this.#losses.push((await this.#trainer.step(packed.ids as Int32Array<ArrayBuffer>)).loss)
      place = { round: from.round, position: packed.position, documentsRead: packed.documentsRead }
      const done = this.#trainer.steps
      if (done % updateSteps === 0 || done === steps) await this.#checkpoint(place)
      else if (done % trainer.reportSteps === 0) await this.#report(place, false)
      if (done === steps || (await switching.next(done, from.round)) !== from.round) break
    }
    return place
  }

  async #switching(): Promise<Switching> {
    const every = readyEvery(this.#run)
    const { kafka, reader, codec } = this.#ports
    if (every === undefined) return byLag(this.#run)
    if (kafka === undefined) throw new Error('mode ready needs the log of the run')
    const decided = await readDecisions({ kafka, codec }, this.#run.name)
    return new Ready(this.#run, every, {
      decided,
      newest: () => reader.newest ?? -1,
      decide: (adopted) => this.#send({ key: this.#run.name, value: codec.encode(RoundAdopted, adopted) }),
    })
  }

  /** Recorded before the first batch is trained on; after a kill it is the same again. */
  async #begin(round: number, before: Place): Promise<void> {
    if (this.#ports.report !== undefined) return
    const step = this.#trainer.steps
    const left = step === 0 ? undefined : { round: before.round, position: before.documentsRead }
    const value = this.#ports.codec.encode(RoundAdopted, beginning(this.#run, round, step, left))
    await this.#send({ key: this.#run.name, value })
  }

  async *#batches(round: number, from: StreamPosition, signal: AbortSignal): AsyncGenerator<PackedBatch> {
    const { batch, context } = this.#run.trainer
    const ids = this.#ports.reader.documents({ run: this.#run.name, round, index: from.document }, signal)
    yield* packBatches(tokensOf(ids, this.#ports.store, this.#ports.model), {
      batch,
      context,
      end: this.#ports.model.tokenizer.endOfText,
      from,
    })
  }

  async #checkpoint(place: Place): Promise<void> {
    const path = checkpointPath(this.#run.checkpoints, this.#run.name, this.#trainer.steps)
    await this.#book.trained(this.#trainer.steps)
    const { document, token } = place.position
    const metadata = { run: this.#run.name, round: place.round, document, token, documentsRead: place.documentsRead }
    const texts = Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, String(value)]))
    const { digest } = await saveCheckpoint(path, (file) => this.#trainer.save(file, texts))
    failpoint('checkpointed')
    await this.#report(place, true, { path, digest, step: this.#trainer.steps })
  }

  async #report(place: Place, boundary: boolean, checkpoint: Progress['checkpoint'] = null): Promise<void> {
    const { batch, context } = this.#run.trainer
    await this.#book.trained(this.#trainer.steps)
    const evaluated = this.#ports.evaluates?.(this.#trainer.steps) ?? boundary
    const losses = evaluated ? await this.#evaluate(this.#trainer.steps) : { referenceLoss: null, corpusLoss: null }
    const trainLoss =
      this.#losses.length === 0 ? null : this.#losses.reduce((sum, loss) => sum + loss, 0) / this.#losses.length
    this.#losses = []
    const value: Progress = {
      run: this.#run.name,
      step: this.#trainer.steps,
      tokens: this.#trainer.steps * batch * context,
      round: place.round,
      position: place.documentsRead,
      trainLoss,
      ...losses,
      checkpoint,
    }
    const toTopic = () => this.#send({ key: this.#run.name, value: this.#ports.codec.encode(Progress, value) })
    await (this.#ports.report?.(value) ?? toTopic())
    failpoint('reported')
    this.#ports.onProgress?.(value)
  }

  async #send(record: Omit<OutgoingRecord, 'topic'>): Promise<void> {
    const topic = runTopics(this.#run.name).progress.name
    await this.#ports.producer.transaction((send) => send([{ ...record, topic }]))
  }
}
