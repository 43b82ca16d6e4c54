/** Documents whose predictions fall into one interval: the mean prediction, and the mean truth. */
export interface CalibrationBin {
  from: number
  to: number
  documents: number
  predicted: number
  observed: number
}

export interface Calibration {
  /** Mean of |predicted - observed| over the bins, weighted by documents; 0 is perfect. In probability for classes, in points for scores. */
  expectedError: number
  /** Bins without documents are left out. */
  bins: CalibrationBin[]
}

function calibrate(predicted: number[], observed: number[], edges: number[]): Calibration {
  const bins = edges.slice(0, -1).flatMap((from, b) => {
    const to = edges[b + 1]!
    const first = b === 0
    const last = b === edges.length - 2
    // Values beyond the ends belong to the outer bins.
    const inside = predicted.flatMap((value, i) => ((first || value >= from) && (last || value < to) ? [i] : []))
    if (inside.length === 0) return []
    const mean = (values: number[]) => inside.reduce((sum, i) => sum + values[i]!, 0) / inside.length
    return [{ from, to, documents: inside.length, predicted: mean(predicted), observed: mean(observed) }]
  })
  const total = bins.reduce(
    (sum, { documents, predicted, observed }) => sum + documents * Math.abs(predicted - observed),
    0,
  )
  return { expectedError: total / predicted.length, bins }
}

const tenths = Array.from({ length: 11 }, (_, i) => i / 10)
const points = [0, 1, 2, 3, 4, 5]

/** How often a class predicted with some probability is right, by tenths of the probability (Guo et al. 2017). */
export const calibrateClasses = (probabilities: number[], correct: boolean[]): Calibration =>
  calibrate(
    probabilities,
    correct.map((right) => (right ? 1 : 0)),
    tenths,
  )

/** The true scores of documents, by whole points of the predicted score. */
export const calibrateScores = (scores: number[], truth: number[]): Calibration => calibrate(scores, truth, points)
