import type { ProxyClaim, ProxyResult } from '../../schemas/index.ts'

/**
 * Who trains what, folded from a campaign's topic. A claim holds for `leaseMs` after this process has seen it or its repetition, by its own clock: no
 * two clocks are compared, and the claims of workers that were killed lapse. Two workers may train one proxy where a claim lapsed too early; they reach
 * the same result, and the first counts.
 */
export class CampaignProgress {
  readonly results = new Map<number, ProxyResult>()
  readonly #claims = new Map<number, { readonly worker: bigint; readonly seenMs: number }>()
  readonly #proxies: number
  readonly #leaseMs: number

  constructor(proxies: number, leaseMs: number) {
    this.#proxies = proxies
    this.#leaseMs = leaseMs
  }

  claimed({ proxy, worker }: Pick<ProxyClaim, 'proxy' | 'worker'>, nowMs: number): void {
    const holder = this.#claims.get(proxy)
    if (holder === undefined || holder.worker === worker || this.#lapsed(holder, nowMs))
      this.#claims.set(proxy, { worker, seenMs: nowMs })
  }

  finished(result: ProxyResult): void {
    if (result.proxy < this.#proxies && !this.results.has(result.proxy)) this.results.set(result.proxy, result)
  }

  /** The first proxy that nobody trains and that has no result; undefined if there is none. */
  next(nowMs: number): number | undefined {
    for (let proxy = 0; proxy < this.#proxies; proxy++) {
      if (this.results.has(proxy)) continue
      const claim = this.#claims.get(proxy)
      if (claim === undefined || this.#lapsed(claim, nowMs)) return proxy
    }
    return undefined
  }

  /** Whether this worker's claim is the one that holds. */
  holds(proxy: number, worker: bigint): boolean {
    return this.#claims.get(proxy)?.worker === worker
  }

  get done(): boolean {
    return this.results.size === this.#proxies
  }

  /** Proxies that somebody trains now. */
  training(nowMs: number): number {
    return [...this.#claims].filter(([proxy, claim]) => !this.results.has(proxy) && !this.#lapsed(claim, nowMs)).length
  }

  #lapsed({ seenMs }: { readonly seenMs: number }, nowMs: number): boolean {
    return nowMs - seenMs >= this.#leaseMs
  }
}
