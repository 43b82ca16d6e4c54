const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

export const integer = (value) => (value === null || value === undefined ? '–' : whole.format(value))
export const short = (value) => (value === null || value === undefined ? '–' : compact.format(value))
export const fixed = (value, digits = 3) => (value === null || value === undefined ? '–' : value.toFixed(digits))
export const percent = (value, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)}%` : '–')
export const times = (value) => (Number.isFinite(value) ? `${value.toFixed(value < 10 ? 2 : 0)}×` : '–')
export const rate = (value) =>
  value >= 1000 ? `${compact.format(value)}/s` : `${Number(value.toFixed(value < 10 ? 1 : 0))}/s`

/** How long ago, in the unit that fits. */
export function age(ms) {
  const seconds = Math.max(0, ms / 1000)
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

export const time = (ms) => (ms === null || ms === undefined ? '' : new Date(ms).toLocaleTimeString())

/** A topic without what all topics of winnow, or of the run, begin with. */
export const shortTopic = (name) => name.replace(/^winnow\.(run\.[^.]+\.)?/, '')
