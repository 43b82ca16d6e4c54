/**
 * A trainer of your own: reads a run's selections in their order, and reports where it is, which is what opens the next rounds.
 * Bring `step` (an optimizer step on some texts) and `save` (weights and place into a checkpoint).
 */
import { Progress, runTopics } from '../../schemas/index.ts'
import type { Runtime } from '../../services/connections/connections.ts'
import { readable } from '../../services/corpus/readable.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import type { RunConfig } from '../../topologies/run-config.ts'

/** Belongs in every checkpoint: with it, training resumes at the very document. */
export interface Place {
  readonly step: number
  readonly tokens: number
  readonly round: number
  /** Documents of the round's selection that were read: the global index, for all ranks. */
  readonly index: number
}

export interface OwnModel {
  /** @returns the loss in nats per token */
  step(texts: readonly string[]): Promise<{ loss: number; tokens: number }>
  /** @returns where influence workers find the checkpoint, and its SHA-256 */
  save(place: Place): Promise<{ path: string; digest: string }>
}

export const beginning: Place = { step: 0, tokens: 0, round: 0, index: 0 }

/** Trains from a place, the beginning or that of the last checkpoint, to the end of the run. */
export async function trainOn(runtime: Runtime, run: RunConfig, model: OwnModel, from: Place): Promise<void> {
  const reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'own trainer' })
  const producer = await runtime.kafka.producer()
  const report = async ({ index: position, ...place }: Place, trainLoss: number | null, isSaved: boolean) => {
    const checkpoint = isSaved ? { ...(await model.save({ ...place, index: position })), step: place.step } : null
    const said = { run: run.name, ...place, position, trainLoss, referenceLoss: null, corpusLoss: null, checkpoint }
    const value = runtime.codec.encode(Progress, said)
    await producer.send([{ topic: runTopics(run.name).progress.name, key: run.name, value }])
  }
  let place = from
  try {
    // Again: the last process may have ended between saving and reporting. What was reported opens nothing a second time.
    if (place.step > 0) await report(place, null, true)
    while (place.step < run.steps) {
      // Algorithm 2: every U steps a stage begins, with the selection of its round. The reader waits for it.
      const round = Math.floor(place.step / run.updateSteps)
      const position = { run: run.name, round, index: round > place.round ? 0 : place.index }
      for await (const { ids, next } of reader.batches(position, { documents: run.trainer.batch, rank: 0, ranks: 1 })) {
        const texts = await readable(runtime).texts(ids) // encrypted ones too
        const { loss, tokens } = await model.step(ids.map((id) => texts.get(id)!))
        place = { step: place.step + 1, tokens: place.tokens + tokens, round, index: next.index }
        const stageEnds = place.step % run.updateSteps === 0 || place.step === run.steps
        await report(place, loss, stageEnds)
        if (stageEnds) break
      }
    }
  } finally {
    await Promise.all([reader.close(), producer.close()])
  }
}
