/** Reports that have a value, with x in tokens or in minutes since the run's first report. */
export function pointsOf({ info, progress }, value, by = 'tokens') {
  const first = progress.find(({ atMs }) => atMs !== null)?.atMs ?? null
  return progress.flatMap((point) => {
    const minutes = first === null || point.atMs === null ? null : (point.atMs - first) / 60_000
    const x = by === 'minutes' ? minutes : point.tokens
    if (point[value] === null || point[value] === undefined || x === null) return []
    return [{ series: info.name, [by]: x, step: point.step, [value]: point[value] }]
  })
}

/**
 * Values of one series as an exponential moving average, what was reported beside them. @param weight of the average so far, 0 to 1: the first
 * values count in full, as in Adam's correction of its bias
 */
export function smoothed(rows, value, weight) {
  let [sum, total] = [0, 0]
  return rows.map((row) => {
    sum = weight * sum + (1 - weight) * row[value]
    total = weight * total + (1 - weight)
    return { ...row, [value]: sum / total, reported: row[value] }
  })
}

/** The last loss of a kind that was reported; undefined: none. */
export const lastWith = (progress, value) => progress.findLast((point) => point[value] !== null)?.[value]

/** A run's loss minus the control's at equal tokens, interpolated between the control's reports; none after its last one. */
export function againstControl(run, control, value) {
  const known = control.progress.filter((point) => point[value] !== null)
  return run.progress.flatMap((point) => {
    if (point[value] === null) return []
    const after = known.findIndex(({ tokens }) => tokens >= point.tokens)
    if (after === -1) return []
    const [low, high] = [known[after - 1], known[after]]
    if (high.tokens > point.tokens && low === undefined) return []
    const share = high.tokens === point.tokens ? 1 : (point.tokens - low.tokens) / (high.tokens - low.tokens)
    const theirs = share === 1 ? high[value] : low[value] + share * (high[value] - low[value])
    return [{ series: run.info.name, tokens: point.tokens, step: point.step, difference: point[value] - theirs }]
  })
}

/** Tokens per second between reports. */
export const speeds = ({ progress }) =>
  progress.flatMap((point, i) => {
    const before = progress[i - 1]
    const seconds = before && point.atMs !== null && before.atMs !== null ? (point.atMs - before.atMs) / 1000 : 0
    return seconds > 0 && point.tokens > before.tokens
      ? [{ ...point, tokensPerSecond: (point.tokens - before.tokens) / seconds }]
      : []
  })

const recentReports = 12

/** A run's remaining time at the pace of its last reports, including evaluation and waiting for rewards; null: unknown, or done. */
export function msLeft({ info, progress }) {
  const recent = progress.slice(-recentReports).filter(({ atMs }) => atMs !== null)
  const [first, last] = [recent[0], recent.at(-1)]
  if (!last || last.step <= first.step || last.step >= info.steps) return null
  return ((last.atMs - first.atMs) / (last.step - first.step)) * (info.steps - last.step)
}
