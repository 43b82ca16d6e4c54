import type { DeadLetter, Offset } from '../../schemas/index.ts'
import type { DeadLetterEntry, DeadLetterView } from './shape.ts'

const lastMax = 100
const reasonsMax = 200
const bytesShown = 512

/** Dead letters by station, reason and topic, and the last of them. */
export class DeadLetterModel {
  #total = 0
  #last: DeadLetterEntry[] = []
  #changed = false
  readonly #reasons = new Map<string, DeadLetterView['reasons'][number] & { count: number }>()

  add(offset: Offset, { station, reason, message, origin, topic, value }: DeadLetter): void {
    this.#changed = true
    this.#total++
    const key = `${station} ${reason} ${topic}`
    const known = this.#reasons.get(key)
    if (known !== undefined) known.count++
    else if (this.#reasons.size < reasonsMax) this.#reasons.set(key, { station, reason, topic, count: 1 })
    const bytes = value === null ? null : Buffer.from(value)
    const entry = { at: offset, station, reason, message, origin, bytes: bytes?.length ?? 0 }
    this.#last = [
      { ...entry, value: bytes?.subarray(0, bytesShown).toString('base64') ?? null },
      ...this.#last.slice(0, lastMax - 1),
    ]
  }

  view(): DeadLetterView {
    const reasons = [...this.#reasons.values()].sort((a, b) => b.count - a.count)
    return { total: this.#total, reasons, last: this.#last }
  }

  takeChanges(): DeadLetterView | undefined {
    if (!this.#changed) return undefined
    this.#changed = false
    return this.view()
  }
}
