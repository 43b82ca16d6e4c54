import type { NaiveConfig, NaiveDocument } from './naive.ts'

/**
 * "Joint weights" of SELECTION.md, read literally, as `naiveRun` reads the rest.
 * @param accepted by actor in configuration order, documents ascending, raw
 * @returns by actor and subcategory, null: no answer; and the shrunk residuals of the cells that have answers, by `naiveCell`
 */
export function naiveJoint(
  config: NaiveConfig,
  documents: readonly NaiveDocument[],
  accepted: readonly (readonly (readonly [docId: string, reward: number])[])[],
  transform: (raw: number) => number,
): { weights: Record<string, (number | null)[]>; residuals: Map<string, number> } {
  const names = Object.keys(config.actors)
  const byId = new Map(documents.map((document) => [document.docId, document]))
  const answers = accepted.flatMap((list) =>
    list.map(([docId, raw]) => ({ document: byId.get(docId)!, r: transform(raw) })),
  )
  const columns = ['1', ...names.flatMap((name) => config.actors[name]!.subcategories.map((_, j) => `${name}/${j}`))]
  const has = ({ labels }: NaiveDocument, column: string) =>
    column === '1' || names.some((name) => column === `${name}/${labels[name]}`)

  let weights = answers.map(() => 1)
  if (config.joint?.weighting === 'corpus') {
    const rate = (name: string, j: number) => {
      const of = (list: readonly NaiveDocument[]) => list.filter(({ labels }) => labels[name] === j).length
      return of(accepted[names.indexOf(name)]!.map(([docId]) => byId.get(docId)!)) / of(documents)
    }
    const v = answers.map(
      ({ document: { labels } }) => 1 / names.reduce((sum, name) => sum + rate(name, labels[name]!), 0),
    )
    const total = v.reduce((sum, one) => sum + one, 0)
    weights = v.map((one) => (one * answers.length) / total)
  }

  const G = columns.map((p) =>
    columns.map((q) => {
      let sum = 0
      for (const [i, { document }] of answers.entries()) if (has(document, p) && has(document, q)) sum += weights[i]!
      return p === q && p !== '1' ? sum + (config.joint?.ridge ?? 10) : sum
    }),
  )
  const m = columns.map((p) => {
    let sum = 0
    for (const [i, { document, r }] of answers.entries()) if (has(document, p)) sum += weights[i]! * r
    return sum
  })
  const x = answers.length === 0 ? m : solved(G, m)
  const isAnswered = (column: string) => answers.some(({ document }) => has(document, column))
  const of = (column: string) => (isAnswered(column) ? x[columns.indexOf(column)]! : null)
  const residuals = new Map<string, number>()
  const k = config.joint?.cells?.shrinkage ?? 20
  for (const cell of new Set(answers.map(({ document }) => naiveCell(config, document)))) {
    let [sum, weight] = [0, 0]
    for (const [i, { document, r }] of answers.entries()) {
      if (naiveCell(config, document) !== cell) continue
      let left = r - x[0]!
      for (const name of names) left -= x[columns.indexOf(`${name}/${document.labels[name]}`)]!
      sum += weights[i]! * left
      weight += weights[i]!
    }
    residuals.set(cell, sum / (weight + k))
  }
  return {
    weights: Object.fromEntries(
      names.map((name) => [name, config.actors[name]!.subcategories.map((_, j) => of(`${name}/${j}`))]),
    ),
    residuals,
  }
}

export const naiveCell = ({ actors }: NaiveConfig, { labels }: NaiveDocument): string =>
  Object.keys(actors)
    .map((name) => labels[name])
    .join()

/** All cells, in the order of their labels. */
export const naiveCells = ({ actors }: NaiveConfig): string[] =>
  Object.values(actors)
    .reduce<number[][]>(
      (cells, { subcategories }) => cells.flatMap((cell) => subcategories.map((_, j) => [...cell, j])),
      [[]],
    )
    .map((cell) => cell.join())

/** L L' = G, L y = m, L' x = y; sums in index order. */
function solved(G: number[][], m: number[]): number[] {
  const n = m.length
  const L = G.map((row) => row.map(() => 0))
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const left = L[i]!.slice(0, j).reduce((rest, l, k) => rest - l * L[j]![k]!, G[i]![j]!)
      L[i]![j] = i === j ? Math.sqrt(left) : left / L[j]![j]!
    }
  }
  const y: number[] = []
  for (let i = 0; i < n; i++) y.push(y.reduce((rest, one, k) => rest - L[i]![k]! * one, m[i]!) / L[i]![i]!)
  const x = [...y]
  for (let i = n - 1; i >= 0; i--) {
    let rest = y[i]!
    for (let k = i + 1; k < n; k++) rest -= L[k]![i]! * x[k]!
    x[i] = rest / L[i]![i]!
  }
  return x
}
