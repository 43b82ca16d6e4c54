import type { Model } from '../model/model.ts'
import type { Log } from '../runtime/log.ts'
import type { Cell } from './cells.ts'
import type { ExperimentCorpus } from './corpus.ts'
import type { Results } from './results.ts'
import { runCell } from './run-cell.ts'

export interface TrainOptions {
  readonly corpus: ExperimentCorpus
  readonly model: Model
  readonly results: Results
  readonly log: Log
  /** Cells at a time: each keeps one core busy. */
  readonly workers: number
  /** Asked before each cell; from the first false on none is begun. */
  readonly goesOn?: () => boolean
  /** @param done finished cells and the parts of those in hand */
  readonly onDone?: (done: number, cells: number) => void
  readonly onCell?: (cell: Cell, seconds: number) => void
}

/**
 * Trains the cells that have no result yet, several at a time, in the order of the list.
 * @throws the signal's reason if it aborts, or what the first cell that failed threw; finished cells are kept
 */
export async function trainCells(cells: readonly Cell[], options: TrainOptions, signal: AbortSignal): Promise<void> {
  const { corpus, model, results, log, workers, goesOn = () => true, onDone, onCell } = options
  // Cells of one digest are one training.
  const waiting = [...new Map(cells.map((cell) => [cell.digest, cell])).values()].filter(
    ({ digest }) => !results.has(digest),
  )
  const inHand = new Map<string, Promise<unknown>>()
  const shares = new Array<number>(workers).fill(0)
  const told = () =>
    onDone?.(
      shares.reduce((sum, share) => sum + share, cells.filter(({ digest }) => results.has(digest)).length),
      cells.length,
    )
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, failed.signal])
  const work = async (_: number, at: number) => {
    for (let cell = waiting.shift(); cell !== undefined && goesOn(); cell = waiting.shift()) {
      stop.throwIfAborted()
      const onShare = (share: number) => {
        shares[at] = share
        told()
      }
      const training = Promise.withResolvers<void>()
      inHand.set(cell.digest, training.promise)
      try {
        // It stands before this one in the list: it is finished, or another worker has it in hand.
        if (cell.against !== undefined) await inHand.get(cell.against)
        stop.throwIfAborted()
        const control = cell.against === undefined ? undefined : results.curve(cell.against)
        const { curve, flops, rounds, seconds } = await runCell(
          cell.run,
          { corpus, model, log, control, onShare },
          stop,
        )
        const labels = cell.labels.reduce((sum, actor) => sum + (corpus.labelFlops[actor] ?? 0), 0)
        const { reference, budget, strategy, seed, run } = cell
        const place = { reference, budget, strategy, seed, steps: run.steps }
        results.add(cell.digest, {
          ...place,
          curve: [...curve],
          flops: { ...flops, labels },
          rounds: [...rounds],
          seconds,
        })
        shares[at] = 0
        told()
        onCell?.(cell, seconds)
      } catch (error) {
        failed.abort(error)
        throw error
      } finally {
        training.resolve()
      }
    }
  }
  told()
  await Promise.allSettled(shares.map(work))
  signal.throwIfAborted()
  failed.signal.throwIfAborted()
}
