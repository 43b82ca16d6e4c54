import { Rates } from '../runs/rates.ts'
import { sumOf } from '../runtime/lag.ts'
import type { Traffic } from './shape.ts'

/** Topic sizes over time. */
export class TrafficMeter {
  readonly #rates = new Rates()

  /**
   * @param ends the next offset of each partition of each topic, at `atMs`
   * @param records of topics whose records were counted
   */
  rates(
    atMs: number,
    ends: ReadonlyMap<string, readonly number[]>,
    records: ReadonlyMap<string, number>,
  ): Traffic['topics'] {
    const perSecond = this.#rates.of(atMs, new Map([...ends].map(([topic, offsets]) => [topic, sumOf(offsets)])))
    return Object.fromEntries(
      [...ends].map(([topic, offsets]) => {
        const ratePerSecond = Math.round((perSecond(topic) ?? 0) * 10) / 10
        return [topic, { ends: offsets, records: records.get(topic) ?? null, ratePerSecond }]
      }),
    )
  }
}
