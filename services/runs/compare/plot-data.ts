import type { RoundOfTwo } from './compare-runs.ts'
import type { ComparedRun } from './compared-run.ts'
import { type Both, type CellOverlap, jaccardOf } from './overlap.ts'

/** Cells that a page plots; its table has all. */
export const cellsShown = 24

/** What `plots.js` draws, as JSON. */
export function plotDataOf(runs: Both<ComparedRun>, rounds: readonly RoundOfTwo[]): object {
  const last = rounds.at(-1)!
  const shown = last.overlap.cells.slice(0, cellsShown)
  return {
    names: runs.map(({ name }) => name),
    rounds: rounds.map(({ round, overlap: { jaccard } }) => ({ round, jaccard })),
    cells: {
      names: shown.map(({ labels }) => nameOfCell(labels, last.actors)),
      values: rounds.flatMap((one) => cellValues(one, shown, last.actors)),
    },
    actors: last.actors.map(({ actor, subcategories }) => {
      const own = rounds.map(({ actors }) => actors.find((one) => one.actor === actor))
      return {
        actor,
        theta: own.map((one) => one?.theta ?? [null, null]),
        subcategories: subcategories.map(({ subcategory, tokens }) => ({
          subcategory,
          weights: own.map(
            (one) => one?.subcategories.find((other) => other.subcategory === subcategory)?.weights ?? [null, null],
          ),
          shares: tokens === null ? null : tokens.map((count, side) => count / Math.max(1, last.tokens[side]!)),
        })),
      }
    }),
    losses: {
      reference: runs.map((run) => curveOf(run, 'referenceLoss')),
      otherText: runs.map((run) => curveOf(run, 'corpusLoss')),
    },
  }
}

/** Its subcategories, in configuration order of the first run. */
export const nameOfCell = (labels: readonly number[], actors: RoundOfTwo['actors']): string =>
  labels.map((j, a) => actors[a]!.subcategories[j]!.subcategory).join(' · ')

function cellValues({ round, overlap }: RoundOfTwo, shown: readonly CellOverlap[], actors: RoundOfTwo['actors']) {
  const byLabels = new Map(overlap.cells.map((cell) => [cell.labels.join(), cell]))
  return shown.flatMap(({ labels }) => {
    const cell = byLabels.get(labels.join())
    if (cell === undefined) return []
    const { documents, common } = cell
    const either = documents[0] + documents[1] - common
    return [{ round, cell: nameOfCell(labels, actors), common, either, jaccard: jaccardOf(documents, common) }]
  })
}

const curveOf = ({ progress }: ComparedRun, loss: 'referenceLoss' | 'corpusLoss') =>
  progress.flatMap(({ tokens, [loss]: value }) => (value === null ? [] : [{ tokens, value }]))
