const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export const integer = (value) => (value === null || value === undefined ? '–' : whole.format(value))
export const short = (value) => (value === null || value === undefined ? '–' : compact.format(value))
export const fixed = (value, digits = 3) => (value === null || value === undefined ? '–' : value.toFixed(digits))
export const percent = (value, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)}%` : '–')
export const times = (value) => (Number.isFinite(value) ? `${value.toFixed(value < 10 ? 2 : 0)}×` : '–')
export const rate = (value) => (value >= 100 ? `${whole.format(value)}/s` : `${value.toFixed(value < 10 ? 1 : 0)}/s`)

/** Significant digits for an axis or a tooltip. */
export function plain(value) {
  if (value === null || value === undefined) return '–'
  const size = Math.abs(value)
  if (size >= 10_000) return compact.format(value)
  if (size !== 0 && size < 0.001) return value.toExponential(2)
  return String(Number(value.toPrecision(4)))
}

/** A topic without what all topics of winnow, or of the run, begin with. */
export const shortTopic = (name) => name.replace(/^winnow\.(run\.[^.]+\.)?/, '')

const hues = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8']
export const colorOf = (i) => `var(${hues[i % hues.length]})`
