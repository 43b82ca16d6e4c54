import type { Manifest } from '../../schemas/index.ts'
import { losingMore } from '../../topologies/duplicates/losses.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { duplicateLosses } from '../corpus/duplicate-losses.ts'
import { Latest } from '../runtime/latest.ts'
import type { RunMeter } from '../runtime/metrics/run-meter.ts'
import type { Service } from '../runtime/service.ts'

/** A selection, and the run as its round has it. */
interface Selected {
  readonly run: RunConfig
  readonly manifest: Manifest
}

/**
 * Looks after each selection of a run that limits near duplicates which sources lose more than their share, and tells it to the log and the metrics. Rounds do
 * not wait for it; of selections that come meanwhile the last is looked at.
 */
export class DuplicateAlarm implements Service {
  readonly name: string
  readonly #meter: RunMeter | undefined
  readonly #looks: Latest<Selected>

  constructor(runtime: Runtime, run: string, meter: RunMeter | undefined) {
    this.name = `duplicate alarm of ${run}`
    this.#meter = meter
    this.#looks = new Latest(
      (selected) => this.#look(runtime, selected),
      (error) => runtime.log.warn({ err: error, run }, 'what sources lose to near duplicates is not known'),
    )
  }

  /** @param run as the round has it */
  onSelected(run: RunConfig, manifest: Manifest): void {
    if (run.selection.duplicates === undefined) this.#meter?.onDuplicateLosses([])
    else this.#looks.ask({ run, manifest })
  }

  async #look(runtime: Runtime, { run, manifest }: Selected): Promise<void> {
    const losses = (await duplicateLosses(runtime, run, manifest)) ?? []
    this.#meter?.onDuplicateLosses(losses)
    for (const { source, name, lostDocuments, documents, ratio } of losingMore(losses))
      runtime.log.warn(
        { run: run.name, round: manifest.round, source: name ?? source, lostDocuments, documents, ratio },
        'a source loses more than its share to near duplicates',
      )
  }

  async close(): Promise<void> {
    await this.#looks.close()
  }
}
