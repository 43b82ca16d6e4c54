const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

const missing = (value) => value === null || value === undefined
export const sum = (numbers) => numbers.reduce((total, one) => total + one, 0)

/** A minus that is as wide as a plus, and no minus before a zero. */
const signed = (text) => (/^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace(/^-/, '−'))

export const integer = (value) => (missing(value) ? '–' : whole.format(value))
export const short = (value) => (missing(value) ? '–' : compact.format(value))
export const fixed = (value, digits = 3) => (missing(value) ? '–' : signed(value.toFixed(digits)))
export const percent = (value, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)}%` : '–')
export const times = (value) => (Number.isFinite(value) ? `${value.toFixed(value < 10 ? 2 : 0)}×` : '–')
export const rate = (value) =>
  value >= 1000 ? `${compact.format(value)}/s` : `${Number(value.toFixed(value < 10 ? 1 : 0))}/s`
/** A number of any size in four digits. */
export const number = (value) =>
  Number.isInteger(value) ? whole.format(value) : signed(`${Number(value.toPrecision(4))}`)

/** How long ago, in the unit that fits. */
export function age(ms) {
  const seconds = Math.max(0, ms / 1000)
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

export const time = (ms) => (missing(ms) ? '' : new Date(ms).toLocaleTimeString())
export const date = (ms) => (missing(ms) ? '–' : new Date(ms).toLocaleString('sv').slice(0, 16))

/** A topic's name without the prefix shared by all topics, or by those of the run. */
export const shortTopic = (name) => name.replace(/^winnow\.(run\.[^.]+\.)?/, '')

/** Records of a topic: counted, or at most as many as its offsets. */
export const records = ({ records: counted, atMost }) =>
  missing(counted) && atMost > 0 ? `≤ ${whole.format(atMost)}` : whole.format(counted ?? 0)
