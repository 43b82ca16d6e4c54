import { actorStation, type Station } from '../../topologies/dataflow.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { closeAll, type Service } from '../runtime/service.ts'

/** The actors that somebody has added to a run: each is started once, beside those that the run was recorded with. */
export class AddedActors implements Service {
  readonly name: string
  readonly #run: RunConfig
  readonly #startStation: (station: Station<unknown>) => Promise<Service>
  readonly #onFailure: (error: unknown) => void
  readonly #started = new Map<string, Promise<Service | undefined>>()

  constructor(
    run: RunConfig,
    startStation: (station: Station<unknown>) => Promise<Service>,
    onFailure: (error: unknown) => void,
  ) {
    this.name = `added actors of ${run.name}`
    this.#run = run
    this.#startStation = startStation
    this.#onFailure = onFailure
  }

  start(actor: string): void {
    if (this.#started.has(actor) || this.#run.selection.actors.some(({ name }) => name === actor)) return
    const starting = this.#startStation(actorStation(this.#run, actor)).catch((error: unknown) => {
      this.#onFailure(error)
      return undefined
    })
    this.#started.set(actor, starting)
  }

  async close(): Promise<void> {
    const services = await Promise.all(this.#started.values())
    await closeAll(services.filter((service) => service !== undefined))
  }
}
