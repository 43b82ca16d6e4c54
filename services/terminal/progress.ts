import type { Clock } from '../runtime/clock.ts'

/** Where progress is shown: standard error. */
export interface Terminal {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** Progress: the share that is done (null: the total is unknown), and what else to show. */
export interface HowFar {
  readonly share: number | null
  /** The share that was done before this process began: the time left is reckoned from what has been done since. */
  readonly shareBefore?: number
  readonly parts: readonly string[]
}

/** Shorter work shows no line. */
const showAfterMs = 1000
const plainEveryMs = 2000
const barEveryMs = 100
const barCells = 24

/** One line for what takes over a second: a bar redrawn in place on a terminal, a plain line every two seconds elsewhere. */
export class ProgressLine {
  readonly #terminal: Terminal
  readonly #clock: Clock
  readonly #startedMs: number
  #drawnMs: number | undefined
  #standing = false

  constructor(terminal: Terminal, clock: Clock) {
    this.#terminal = terminal
    this.#clock = clock
    this.#startedMs = clock()
  }

  /** Since the start; never 0, so that it can divide. */
  get seconds(): number {
    return Math.max((this.#clock() - this.#startedMs) / 1000, 0.001)
  }

  /** Draws if it is time; only then is `howFar` called. */
  tick(howFar: () => HowFar): void {
    const nowMs = this.#clock()
    const isTTY = this.#terminal.isTTY === true
    const due =
      this.#drawnMs === undefined
        ? this.#startedMs + (isTTY ? showAfterMs : plainEveryMs)
        : this.#drawnMs + (isTTY ? barEveryMs : plainEveryMs)
    if (nowMs >= due) this.#draw(howFar())
  }

  /** Clears the line, so that something else can be written; the next tick redraws it. */
  clear(): void {
    if (this.#standing) this.#terminal.write('\r\x1b[2K')
    this.#standing = false
  }

  /** The final line, which stays. None if it ended before the first one was drawn, unless `always`. */
  end(howFar: HowFar, always = false): void {
    if (this.#drawnMs === undefined && !always) return
    this.#draw(howFar)
    if (this.#standing) this.#terminal.write('\n')
    this.#standing = false
  }

  #draw({ share, shareBefore = 0, parts }: HowFar): void {
    this.#drawnMs = this.#clock()
    const { isTTY, columns } = this.#terminal
    const since = (share ?? 0) - shareBefore
    const left = share === null || since <= 0 ? [] : [`ETA ${duration((this.seconds / since) * (1 - share))}`]
    const done =
      share === null ? [] : [`${isTTY ? `${bar(share)} ` : ''}${String(Math.floor(share * 100)).padStart(3)}%`, ...left]
    const line = [...done, ...parts].join('  ')
    // One column less than available: a full line would wrap, and the next redraw would leave it behind.
    if (isTTY) this.#terminal.write(`\r\x1b[2K${line.slice(0, (columns ?? 80) - 1)}`)
    else this.#terminal.write(`${line}\n`)
    this.#standing = isTTY === true
  }
}

/** Counts to a total, or without one; what was done before the first count does not enter the rate. Counts may have fractions: parts of a unit. */
export class Counter {
  readonly #line: ProgressLine
  readonly #doing: string
  readonly #unit: string
  #first: number | undefined
  #done = 0
  #total: number | null = null

  /** @param doing the activity, for example `labelling`; @param unit what is counted, plural */
  constructor(terminal: Terminal, clock: Clock, { doing, unit }: { doing: string; unit: string }) {
    this.#line = new ProgressLine(terminal, clock)
    this.#doing = doing
    this.#unit = unit
  }

  at(done: number, total: number | null = null): void {
    this.#first ??= done
    this.#done = done
    this.#total = total
    this.#line.tick(() => this.#howFar())
  }

  clear(): void {
    this.#line.clear()
  }

  end(): void {
    this.#line.end(this.#howFar())
  }

  #howFar(): HowFar {
    const [done, total] = [this.#done, this.#total]
    const rate = (done - (this.#first ?? 0)) / this.#line.seconds
    const shareOf = (count: number) => Math.min(count / (total ?? 1), 1)
    return {
      ...(total === null || total === 0
        ? { share: null }
        : { share: shareOf(done), shareBefore: shareOf(this.#first ?? 0) }),
      parts: [
        this.#doing,
        total === null
          ? `${formatCount(Math.floor(done))} ${this.#unit}`
          : `${formatCount(Math.floor(done))} of ${formatCount(total)} ${this.#unit}`,
        rateOf(rate, this.#unit),
      ],
    }
  }
}

/** Shows what is being waited for if it takes over a second, with the seconds on a terminal, and clears it again. */
export async function whileWaiting<T>(terminal: Terminal, clock: Clock, doing: string, work: Promise<T>): Promise<T> {
  const line = new ProgressLine(terminal, clock)
  const timer = setInterval(
    () => line.tick(() => ({ share: null, parts: [doing, `${line.seconds.toFixed(0)} s`] })),
    barEveryMs,
  )
  try {
    return await work
  } finally {
    clearInterval(timer)
    line.clear()
  }
}

/** What is slow is counted by the minute: 0.0 a second says nothing. */
function rateOf(perSecond: number, unit: string): string {
  if (perSecond >= 10) return `${formatCount(perSecond)} ${unit}/s`
  return perSecond >= 0.5 || perSecond === 0
    ? `${perSecond.toFixed(1)} ${unit}/s`
    : `${(60 * perSecond).toFixed(1)} ${unit}/min`
}

const bar = (share: number) => '█'.repeat(Math.round(share * barCells)).padEnd(barCells, '░')

/** A count with thousands separators. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US')

function duration(seconds: number): string {
  // What is a second by a hair of rounding is no second more.
  const rounded = Math.ceil(seconds - 1e-6)
  const pad = (part: number) => String(part).padStart(2, '0')
  const [hours, minutes] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60]
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(rounded % 60)}` : `${minutes}:${pad(rounded % 60)}`
}
