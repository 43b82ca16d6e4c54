import type { Manifest } from '../../schemas/index.ts'
import { losingMore } from '../../topologies/duplicates/losses.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { duplicateLosses } from '../corpus/duplicate-losses.ts'
import type { RunMeter } from '../runtime/metrics/run-meter.ts'
import type { Service } from '../runtime/service.ts'

/**
 * Looks after each selection of a run that limits near duplicates which sources lose more than their share, and tells it to the log and the metrics. Rounds do
 * not wait for it; of selections that come meanwhile the last is looked at.
 */
export class DuplicateAlarm implements Service {
  readonly name: string
  readonly #runtime: Runtime
  readonly #meter: RunMeter | undefined
  #next: { readonly run: RunConfig; readonly manifest: Manifest } | undefined
  #looking: Promise<void> | undefined
  #isClosed = false

  constructor(runtime: Runtime, run: string, meter: RunMeter | undefined) {
    this.name = `duplicate alarm of ${run}`
    this.#runtime = runtime
    this.#meter = meter
  }

  /** @param run as the round has it */
  onSelected(run: RunConfig, manifest: Manifest): void {
    if (this.#isClosed) return
    if (run.selection.duplicates === undefined) {
      this.#meter?.onDuplicateLosses([])
      return
    }
    this.#next = { run, manifest }
    this.#looking ??= this.#look()
  }

  async #look(): Promise<void> {
    for (let asked = this.#next; asked !== undefined; asked = this.#next) {
      this.#next = undefined
      const { run, manifest } = asked
      try {
        const losses = (await duplicateLosses(this.#runtime, run, manifest)) ?? []
        this.#meter?.onDuplicateLosses(losses)
        for (const { source, name, lostDocuments, documents, ratio } of losingMore(losses))
          this.#runtime.log.warn(
            {
              run: run.name,
              round: manifest.round,
              source: name ?? source,
              lostDocuments,
              documents,
              ratio,
            },
            'a source loses more than its share to near duplicates',
          )
      } catch (error) {
        this.#runtime.log.warn({ err: error, run: run.name }, 'what sources lose to near duplicates is not known')
      }
    }
    this.#looking = undefined
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#next = undefined
    await this.#looking
  }
}
