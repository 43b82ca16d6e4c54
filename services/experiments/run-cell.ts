import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import {
  allRecords,
  type Manifest,
  type OtherText,
  Progress,
  RoundOpened,
  runTopics,
  type Work,
} from '../../schemas/index.ts'
import { decidingStations, influenceStation } from '../../topologies/dataflow.ts'
import { InMemoryDriver, selectionOf } from '../../topologies/driver.ts'
import { Ledger } from '../../topologies/ledger/ledger.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { createRunInfluence } from '../influence/model.ts'
import type { Model } from '../model/model.ts'
import { systemClock } from '../runtime/clock.ts'
import { createCodec } from '../runtime/codec.ts'
import type { OutgoingRecord, Producer } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import { again } from '../selections/again.ts'
import { train } from '../trainer/trainer.ts'
import type { ExperimentCorpus } from './corpus.ts'

/** Held-out losses of a cell as its training went on. */
export interface CurvePoint {
  readonly step: number
  readonly tokens: number
  readonly referenceLoss: number
  readonly otherLoss: number
}

/** FLOPs of a cell's own work, by purpose (docs/ledger.md). */
export type CellFlops = Readonly<Partial<Record<Work['purpose'], number>>>

export interface CellRun {
  readonly curve: readonly CurvePoint[]
  readonly flops: CellFlops
  readonly rounds: readonly (Pick<
    Manifest,
    'round' | 'theta' | 'weights' | 'documents' | 'tokens' | 'selectionDigest'
  > & {
    /** Of a cell that bounds the loss on other text. */
    readonly otherText?: OtherText
  })[]
  readonly seconds: number
}

export interface CellPorts {
  readonly corpus: Pick<ExperimentCorpus, 'store'>
  readonly model: Model
  readonly log: Log
  /** What the cell's loss on other text is held against. */
  readonly control?: readonly CurvePoint[] | undefined
  /** How much is trained, from 0 to 1. */
  readonly onShare?: (share: number) => void
}

/**
 * One run from its first step to its last, in this process and without servers: the stations of every run on the in-memory driver, and the reference
 * trainer. The same configuration, corpus and model give the same bits, whatever runs beside it. What it leaves in `run.checkpoints` is removed.
 * @throws the signal's reason if it aborts: nothing is kept
 */
export async function runCell(run: RunConfig, ports: CellPorts, signal: AbortSignal): Promise<CellRun> {
  const { corpus, model, log, control = [], onShare } = ports
  const beganMs = systemClock()
  const topicsOfRun = runTopics(run.name)
  const booking = { now: systemClock }
  const driver = new InMemoryDriver()
  const manifests: Manifest[] = []
  await using opened = new AsyncDisposableStack()
  opened.defer(() => rmSync(run.checkpoints, { recursive: true, force: true }))
  if (run.sampleDocuments > 0) {
    const influence = await createRunInfluence(run, model)
    opened.defer(() => influence.close())
    const station = influenceStation(run)
    await driver.start(station, (output) => station.build({ influence, booking }, output))
  }
  const chunks = () => driver.records(topicsOfRun.selections.name)
  const deciding = {
    store: corpus.store,
    console: {
      selections: {
        selection: async function* (manifest: Manifest, index: number) {
          yield selectionOf(manifest, chunks()).slice(index)
        },
      },
      otherLosses: async () => control.map(({ step, tokens, otherLoss }) => ({ step, tokens, loss: otherLoss })),
      // Deadlines are for workers that may be away.
      now: () => 0,
      onEvent: (event: { kind: string; manifest?: Manifest }) => {
        if (event.kind === 'selected') manifests.push(event.manifest!)
      },
    },
  }
  for (const station of decidingStations(run)) await driver.start(station, (output) => station.build(deciding, output))
  await driver.run()

  const codec = await createCodec({ registry: `mock://${randomUUID()}`, records: allRecords })
  const ledger = new Ledger()
  const curve: CurvePoint[] = []
  const read = async (records: readonly OutgoingRecord[]) => {
    // Progress is reported below; what is left is booked work.
    for (const { value } of records) ledger.apply((await codec.decode(value!)).value as Work)
    return []
  }
  const producer: Producer = { send: read, transaction: (work) => work(read), close: async () => {} }
  const trainer = {
    ...{ store: corpus.store, model, codec, log, producer, booking },
    reader: {
      documents: ({ round, index }: { round: number; index: number }) =>
        again(selectionOf(manifests.find((one) => one.round === round)!, chunks()), index),
    },
    report: async (progress: Progress) => {
      signal.throwIfAborted()
      const { step, tokens, referenceLoss, corpusLoss } = progress
      if (referenceLoss !== null) curve.push({ step, tokens, referenceLoss, otherLoss: corpusLoss! })
      driver.append([{ topic: topicsOfRun.progress.name, record: Progress, key: run.name, value: progress }])
      await driver.run()
      onShare?.(step / run.steps)
    },
  }
  await train(run, trainer, signal)
  for (const { value } of driver.records(topicsOfRun.work.name)) ledger.apply(value as Work)
  const flops: Partial<Record<Work['purpose'], number>> = {}
  for (const row of ledger.rows()) flops[row.purpose] = (flops[row.purpose] ?? 0) + row.flops
  const otherTexts = new Map(
    driver.records(topicsOfRun.consoleState.name).flatMap(({ record, value }) => {
      const { round, otherText } = value as RoundOpened
      return record === RoundOpened.name && otherText !== null ? [[round, otherText] as const] : []
    }),
  )
  return {
    curve,
    flops,
    rounds: manifests.map(({ round, theta, weights, documents, tokens, selectionDigest }) => ({
      ...{ round, theta, weights, documents, tokens, selectionDigest },
      ...(otherTexts.has(round) && { otherText: otherTexts.get(round)! }),
    })),
    seconds: (systemClock() - beganMs) / 1000,
  }
}
