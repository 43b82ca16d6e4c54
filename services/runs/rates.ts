/** Long enough not to flicker, short enough to see a round begin. */
const windowMs = 10_000

/** Growth rates: differences over the last ten seconds between totals sampled now and then. */
export class Rates {
  #samples: { atMs: number; totals: ReadonlyMap<string, number> }[] = []

  /** @returns growth per second by name; undefined before there are two samples to compare */
  of(atMs: number, totals: ReadonlyMap<string, number>): (name: string) => number | undefined {
    this.#samples = [...this.#samples.filter((sample) => sample.atMs >= atMs - windowMs), { atMs, totals }]
    const first = this.#samples[0]!
    const seconds = (atMs - first.atMs) / 1000
    return (name) => {
      const [before, now] = [first.totals.get(name), totals.get(name)]
      return seconds <= 0 || before === undefined || now === undefined ? undefined : (now - before) / seconds
    }
  }
}
