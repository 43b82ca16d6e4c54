/** What a soak has seen, and what that comes to. Nothing of this knows how it was seen. */

/** Resident memory of one process, from its start to its end. */
export interface Life {
  readonly process: string
  /** Seconds since the soak began, ascending. */
  readonly atSeconds: readonly number[]
  readonly residentMiB: readonly number[]
}

/** Documents that were written and not labelled by every actor, after a pause without a fault. */
export interface LagSample {
  readonly atSeconds: number
  readonly documents: number
}

export interface Seen {
  /** A promise in words, and how it was broken; null: it was held. */
  readonly guarantees: readonly { readonly promise: string; readonly broken: string | null }[]
  readonly lives: readonly Life[]
  readonly lags: readonly LagSample[]
  readonly documentsInBurst: number
}

export interface Tolerances {
  /** Growth of a process that still counts as flat. */
  readonly memoryMiBPerHour: number
  /** What a process does until its caches are full says nothing: so much of a life is left out, and at least `warmUpShare` of it. */
  readonly warmUpSeconds: number
  readonly warmUpShare: number
  /** A collector has run in so long: the least memory of each such stretch is what is in use, the rest is garbage that waits. */
  readonly floorSeconds: number
  /** Noise of a collector is larger than a leak over less than this: such a life is not judged. */
  readonly judgedSecondsMin: number
  /** Bursts of documents that may wait when it was calm. */
  readonly burstsWaitingMax: number
}

export const defaultTolerances: Tolerances = {
  memoryMiBPerHour: 32,
  warmUpSeconds: 300,
  warmUpShare: 1 / 3,
  floorSeconds: 240,
  judgedSecondsMin: 1500,
  burstsWaitingMax: 2,
}

export type Finding = 'held' | 'broken' | 'not judged'

export interface Verdict {
  /** False where anything is broken. What could not be judged breaks nothing. */
  readonly held: boolean
  readonly lines: readonly { readonly what: string; readonly finding: Finding; readonly why: string }[]
}

/** Judges guarantees, memory of each process, and lag. */
export function judge(seen: Seen, tolerances: Tolerances): Verdict {
  const guarantees = seen.guarantees.map(({ promise, broken }) => ({
    what: promise,
    finding: broken === null ? ('held' as const) : ('broken' as const),
    why: broken ?? '',
  }))
  const processes = [...Map.groupBy(seen.lives, (life) => life.process)]
  const lines = [
    ...guarantees,
    ...processes.map(([name, lives]) => ({ what: `memory of ${name} is flat`, ...memoryOf(lives, tolerances) })),
    { what: 'lag is bounded', ...lagOf(seen, tolerances) },
  ]
  return { held: lines.every(({ finding }) => finding !== 'broken'), lines }
}

/** The longest life of a process tells most; each restart begins another. */
function memoryOf(lives: readonly Life[], tolerances: Tolerances): { finding: Finding; why: string } {
  const { memoryMiBPerHour, warmUpSeconds, warmUpShare, judgedSecondsMin } = tolerances
  const spanOf = ({ atSeconds }: Life) => (atSeconds.at(-1) ?? 0) - (atSeconds[0] ?? 0)
  const life = lives.reduce((a, b) => (spanOf(b) > spanOf(a) ? b : a))
  const from = (life.atSeconds[0] ?? 0) + Math.max(warmUpSeconds, warmUpShare * spanOf(life))
  const points = life.atSeconds.flatMap((at, i) => (at < from ? [] : [[at, life.residentMiB[i]!] as const]))
  const seconds = points.length === 0 ? 0 : points.at(-1)![0] - points[0]![0]
  const restarts = lives.length === 1 ? '' : `, in the longest of ${lives.length} lives`
  const floor = floorOf(points, tolerances.floorSeconds)
  if (floor.length < 3 || seconds < judgedSecondsMin)
    return { finding: 'not judged', why: `${Math.round(seconds)} s after warming up are too short to tell${restarts}` }
  const slope = 3600 * slopeOf(floor)
  const why = `${slope.toFixed(1)} MiB an hour over ${Math.round(seconds)} s, tolerated ${memoryMiBPerHour}${restarts}`
  return { finding: slope <= memoryMiBPerHour ? 'held' : 'broken', why }
}

/** The least of each whole stretch of so many seconds, at the middle of the stretch. What is left at the end is no stretch: its least is too high. */
function floorOf(points: readonly (readonly [number, number])[], seconds: number): (readonly [number, number])[] {
  const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0]
  const whole = Math.floor((last - first) / seconds)
  const stretches = Map.groupBy(points, ([at]) => Math.floor((at - first) / seconds))
  return [...stretches].flatMap(([n, own]) =>
    n < whole ? [[first + (n + 0.5) * seconds, Math.min(...own.map(([, mib]) => mib))] as const] : [],
  )
}

/** Of many points so many, evenly, are paired. */
const pairedMax = 300

/** The median of the slopes of all pairs (Theil 1950, Sen 1968): a few collections or peaks do not move it. Per second. */
export function slopeOf(points: readonly (readonly [number, number])[]): number {
  const every = Math.ceil(points.length / pairedMax)
  const some = points.filter((_, i) => i % every === 0)
  const slopes = some.flatMap(([x, y], i) =>
    some.slice(i + 1).flatMap(([u, v]) => (u === x ? [] : [(v - y) / (u - x)])),
  )
  slopes.sort((a, b) => a - b)
  const middle = slopes.length >> 1
  if (slopes.length === 0) return 0
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2
}

function lagOf({ lags, documentsInBurst }: Seen, { burstsWaitingMax }: Tolerances): { finding: Finding; why: string } {
  if (lags.length === 0) return { finding: 'not judged', why: 'it was never calm' }
  const limit = burstsWaitingMax * documentsInBurst
  const most = lags.reduce((a, b) => (b.documents > a.documents ? b : a))
  const why = `at most ${most.documents} documents waited when it was calm, ${Math.round(most.atSeconds)} s in; tolerated ${limit}`
  return { finding: most.documents <= limit ? 'held' : 'broken', why }
}
