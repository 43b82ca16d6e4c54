import type { Checkpoint, DocumentId } from '../../../schemas/index.ts'
import { lineageOf } from '../../../topologies/exposure/lineage.ts'
import { timesRead } from '../../../topologies/selection/reads.ts'
import type { Runtime } from '../../connections/connections.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { again } from '../../selections/again.ts'
import { selectionIds } from '../../selections/chunks.ts'
import type { Position } from '../../selections/selection-reader.ts'
import type { Report } from '../exposure/account-of.ts'
import { checkpointsOf, type RecordedTraining } from '../exposure/training.ts'

/** A document that a trainer was given, and how often it read it there. */
export interface GivenReading {
  readonly docId: DocumentId
  readonly round: number
  /** Global index into the round's selection. */
  readonly index: number
  readonly times: number
}

/** The selections that a training read until a report, without some documents, as a trainer reads them: in memory, 8 bytes a document. */
export class Stream {
  readonly readings: readonly GivenReading[]
  readonly #rounds: ReadonlyMap<number, BigUint64Array>

  private constructor(rounds: ReadonlyMap<number, BigUint64Array>, readings: readonly GivenReading[]) {
    this.#rounds = rounds
    this.readings = readings
  }

  /** @param without left out of every selection, whole: what comes after them moves up */
  static async read(
    runtime: Pick<Runtime, 'kafka' | 'codec'>,
    training: RecordedTraining,
    report: Report,
    without: ReadonlySet<DocumentId>,
  ): Promise<Stream> {
    const rounds = new Map<number, BigUint64Array>()
    const readings: GivenReading[] = []
    for (const { round, read } of lineageOf(training, report)) {
      const manifest = training.manifests.find((one) => one.round === round)!
      const kept = new BigUint64Array(manifest.documents)
      let [index, size] = [0, 0]
      for await (const ids of selectionIds(runtime, manifest, 0)) {
        for (const docId of ids) {
          if (without.has(docId)) {
            const times = timesRead(index, manifest.documents, read ?? manifest.documents)
            if (times > 0) readings.push({ docId, round, index, times })
          } else kept[size++] = docId
          index++
        }
      }
      rounds.set(round, kept.subarray(0, size))
    }
    return new Stream(rounds, readings)
  }

  /** As of `SelectionReader`. @throws WinnowError CONFIGURATION if nothing of the round is left */
  documents({ round, index }: Position): AsyncGenerator<DocumentId> {
    const ids = this.#rounds.get(round)
    if (ids === undefined || ids.length === 0)
      throw new WinnowError('CONFIGURATION', `without these documents round ${round} has nothing to train on`, {
        hint: 'Leave fewer documents out, or retrain an earlier checkpoint.',
      })
    return again(ids, index)
  }
}

/** Checkpoints until a report whose model had read none of the readings, the newest first: up to each of them the stream is the same without those. */
export function newestWithout(
  training: RecordedTraining,
  until: Report,
  readings: readonly GivenReading[],
): Checkpoint[] {
  const sizes = new Map(training.manifests.map(({ round, documents }) => [round, documents]))
  return checkpointsOf(training)
    .filter(({ checkpoint }) => checkpoint.step <= until.checkpoint.step)
    .filter(({ report }) => {
      const reads = new Map(lineageOf(training, report).map(({ round, read }) => [round, read]))
      return !readings.some(({ round, index }) => {
        const size = sizes.get(round)!
        return reads.has(round) && timesRead(index, size, reads.get(round) ?? size) > 0
      })
    })
    .map(({ checkpoint }) => checkpoint)
    .toReversed()
}
