import { meanOf, type Predict, type Table } from './table.ts'

/**
 * Gradient-boosted regression trees as RegMix uses them (its regression.ipynb: LightGBM, squared loss, 1,000 trees, rate 0.01, 31 leaves, at
 * least 20 rows a leaf, no regularization, no sampling), without early stopping, which there looks at the test set. Splits are exact: every
 * midpoint between two neighbouring values is tried, where LightGBM bins. Only + - * / and comparisons, and every tie is broken by a rule: the bits
 * are the same everywhere.
 */
export interface TreeOptions {
  readonly trees: number
  readonly rate: number
  readonly leaves: number
  readonly rowsPerLeaf: number
}

export const regMixTrees: TreeOptions = { trees: 1000, rate: 0.01, leaves: 31, rowsPerLeaf: 20 }

/** A tree in arrays: node n asks feature[n] <= threshold[n] (then left[n], else right[n]); a leaf has feature -1 and adds value[n]. */
export interface Tree {
  readonly feature: number[]
  readonly threshold: number[]
  readonly left: number[]
  readonly right: number[]
  readonly value: number[]
}

export interface Trees {
  readonly base: number
  readonly trees: readonly Tree[]
}

/** Fewest rows with which a tree can split at all. */
export const rowsToSplit = ({ rowsPerLeaf }: TreeOptions = regMixTrees): number => 2 * rowsPerLeaf

interface Split {
  readonly gain: number
  readonly feature: number
  readonly threshold: number
  /** Rows of the left side, in the order of the feature. */
  readonly count: number
}

/** A leaf that may still be split: its rows, sorted by each feature. */
interface Leaf {
  readonly node: number
  readonly sorted: readonly Int32Array[]
  readonly split: Split | null
}

export function fitTrees(table: Table, options: TreeOptions = regMixTrees): Trees {
  const { features, target, rows } = table
  const base = meanOf(target)
  const residual = target.map((value) => value - base)
  // Ties by row, so that the order is one.
  const sorted = features.map((column) =>
    Int32Array.from({ length: rows }, (_, row) => row).sort((a, b) => column[a]! - column[b]! || a - b),
  )
  const trees: Tree[] = []
  for (let t = 0; t < options.trees; t++) trees.push(growTree(features, sorted, residual, options))
  return { base, trees }
}

/** Grows one tree on the residuals, best leaf first, and takes what it explains off them. */
function growTree(
  features: readonly Float64Array[],
  sorted: readonly Int32Array[],
  residual: Float64Array,
  { rate, leaves, rowsPerLeaf }: TreeOptions,
): Tree {
  const tree: Tree = { feature: [], threshold: [], left: [], right: [], value: [] }
  const leafOf = (rowsByFeature: readonly Int32Array[], last: boolean): Leaf => {
    const node = tree.feature.push(-1) - 1
    tree.threshold.push(0)
    tree.left.push(-1)
    tree.right.push(-1)
    tree.value.push(0)
    return {
      node,
      sorted: rowsByFeature,
      split: last ? null : bestSplit(features, rowsByFeature, residual, rowsPerLeaf),
    }
  }
  const open = [leafOf(sorted, leaves < 2)]
  const isLeft = new Uint8Array(residual.length)
  while (open.length < leaves) {
    let best = -1
    // The first of the best: ties go to the leaf that was there before.
    open.forEach(({ split }, at) => {
      if (split !== null && (best === -1 || split.gain > open[best]!.split!.gain)) best = at
    })
    if (best === -1) break
    const { node, sorted: rowsByFeature, split } = open[best]!
    const { feature, threshold, count } = split!
    rowsByFeature[feature]!.forEach((row, at) => {
      isLeft[row] = at < count ? 1 : 0
    })
    const sides = rowsByFeature.map((order) => parted(order, isLeft, count))
    const last = open.length + 1 === leaves
    const left = leafOf(
      sides.map(([side]) => side),
      last,
    )
    const right = leafOf(
      sides.map(([, side]) => side),
      last,
    )
    tree.feature[node] = feature
    tree.threshold[node] = threshold
    tree.left[node] = left.node
    tree.right[node] = right.node
    open.splice(best, 1, left, right)
  }
  for (const { node, sorted: rowsByFeature } of open) {
    // In the order of rows, not of a feature: one order of summation whatever the features are.
    const rows = (rowsByFeature[0] ?? new Int32Array()).slice().sort()
    let sum = 0
    for (const row of rows) sum += residual[row]!
    const value = rows.length === 0 ? 0 : (rate * sum) / rows.length
    tree.value[node] = value
    for (const row of rows) residual[row]! -= value
  }
  return tree
}

/** The rows of the left side and those of the right one, each in the order that they had. */
function parted(order: Int32Array, isLeft: Uint8Array, count: number): readonly [Int32Array, Int32Array] {
  const left = new Int32Array(count)
  const right = new Int32Array(order.length - count)
  let [l, r] = [0, 0]
  for (let at = 0; at < order.length; at++) {
    const row = order[at]!
    if (isLeft[row] === 1) left[l++] = row
    else right[r++] = row
  }
  return [left, right]
}

/** The split with the largest gain GL^2 / nL + GR^2 / nR - G^2 / n; ties go to the lower feature, then to the lower threshold. Null where none gains. */
function bestSplit(
  features: readonly Float64Array[],
  sorted: readonly Int32Array[],
  residual: Float64Array,
  rowsPerLeaf: number,
): Split | null {
  const n = sorted[0]?.length ?? 0
  if (n < 2 * rowsPerLeaf) return null
  let best: Split | null = null
  let bestGain = 0
  let total = 0
  for (let at = 0; at < n; at++) total += residual[sorted[0]![at]!]!
  const whole = (total * total) / n
  for (let feature = 0; feature < features.length; feature++) {
    const column = features[feature]!
    const order = sorted[feature]!
    let left = 0
    for (let at = 1; at <= n - rowsPerLeaf; at++) {
      const before = order[at - 1]!
      left += residual[before]!
      if (at < rowsPerLeaf) continue
      const low = column[before]!
      const high = column[order[at]!]!
      if (low === high) continue
      const right = total - left
      const gain = (left * left) / at + (right * right) / (n - at) - whole
      if (gain > bestGain) {
        bestGain = gain
        // Between two neighbouring doubles the midpoint may be the upper one.
        const middle = low + (high - low) / 2
        best = { gain, feature, threshold: middle < high ? middle : low, count: at }
      }
    }
  }
  return best
}

function leafValue({ feature, threshold, left, right, value }: Tree, mixture: ArrayLike<number>): number {
  let node = 0
  while (feature[node]! !== -1) node = mixture[feature[node]!]! <= threshold[node]! ? left[node]! : right[node]!
  return value[node]!
}

export const predictTrees =
  ({ base, trees }: Trees): Predict =>
  (mixture) => {
    let sum = base
    for (const tree of trees) sum += leafValue(tree, mixture)
    return sum
  }
