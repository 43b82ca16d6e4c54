import { setTimeout as sleep } from 'node:timers/promises'
import type { Preparing, ViewOptions } from '../../../topologies/corpus-store.ts'
import type { Group } from '../../../topologies/selection/groups.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'
import { StateBuild } from './build.ts'
import { type AsOf, isWhole, type Labels, offsetsText, type State, StateCatalog } from './catalog.ts'

/** The corpus as of given offsets: the rows of a table that are marked with these states. */
export interface SortedState {
  readonly table: string
  readonly states: readonly number[]
  readonly cells: readonly Group[]
  /** Actors whose scores it has, by index: columns s0, s1, .. */
  readonly scored: readonly number[]
  /** Of the rounds of `Wanted.earlier`, in their order: the states that came after it. */
  readonly after: ReadonlyMap<number, readonly number[]>
}

/** What is asked for: a state, and earlier ones that must be a part of it. */
export type Wanted = AsOf & Pick<ViewOptions, 'earlier'>

interface Job {
  readonly done: Promise<State | undefined>
  preparing: Preparing
}

/** A build that takes no longer than this is awaited. */
const graceMs = 1000

/** Offsets whose state is remembered. */
const knownMax = 1000

/**
 * States of the corpus in tables sorted by (cell, place). A document enters once for all later rounds, since labels never change and offsets
 * are taken only after everything before them has been added: what takes part in a state takes part in all later ones, in the same cell.
 */
export class SortedStates {
  readonly #sql: Sql
  readonly #rowsPerStep: number | undefined
  readonly #catalogs = new Map<string, StateCatalog>()
  /** The state that each set of offsets comes to, as far as asked for: they may be those of an earlier one. */
  readonly #known = new Map<string, State | undefined>()
  /** Builds at work, by draw. */
  readonly #jobs = new Map<string, Job>()

  constructor(sql: Sql, { rowsPerStep }: { rowsPerStep?: number } = {}) {
    this.#sql = sql
    this.#rowsPerStep = rowsPerStep
  }

  /** The state of exactly these offsets; undefined if there is none. */
  async find(wanted: Wanted): Promise<SortedState | undefined> {
    const catalog = this.#catalog(wanted)
    const found = await this.#found(catalog, wanted)
    return found && (await sortedState(catalog, wanted, found))
  }

  /** The state of these offsets, built if it is missing: the first one of a set of actors looks at the whole corpus. */
  async make(wanted: Wanted): Promise<SortedState> {
    const catalog = this.#catalog(wanted)
    for (;;) {
      const found = await this.#found(catalog, wanted)
      if (found !== undefined) return await sortedState(catalog, wanted, found)
      await this.#outcome(catalog, this.#job(catalog, wanted))
    }
  }

  /** Has the state of these offsets built, and does not wait for long. @returns how far it is; undefined: `find` has it */
  async prepare(wanted: Wanted): Promise<Preparing | undefined> {
    const catalog = this.#catalog(wanted)
    if ((await this.#found(catalog, wanted)) !== undefined) return undefined
    const job = this.#job(catalog, wanted)
    const late = new AbortController()
    const outcome = await Promise.race([
      this.#outcome(catalog, job),
      sleep(graceMs, 'late' as const, { signal: late.signal }).catch(() => 'late' as const),
    ]).finally(() => late.abort())
    // A build of other offsets may have been at work: the next call starts that of these.
    if (outcome === 'late' || (await this.#found(catalog, wanted)) === undefined) return job.preparing
    return undefined
  }

  /** How far a build is that another process may be at, or has been at when it ended; undefined: none is unfinished. */
  async unfinished(labels: Labels): Promise<Preparing | undefined> {
    const catalog = new StateCatalog(this.#sql, labels)
    const all = await catalog.all()
    const whole = all.filter(isWhole)
    const documents = Math.max(-1, ...whole.map((one) => one.documents))
    const offsets = new Set(whole.map((one) => one.offsets))
    return all
      .filter((one) => !isWhole(one) && !offsets.has(one.offsets) && one.documents > documents)
      .sort((a, b) => b.done - a.done)[0]
  }

  #catalog(labels: Labels): StateCatalog {
    const made = new StateCatalog(this.#sql, labels)
    const known = this.#catalogs.get(made.draw)
    if (known !== undefined) return known
    this.#catalogs.set(made.draw, made)
    return made
  }

  /** The states that the earlier offsets and these come to, each within the next, as far as all are built. */
  async #found(catalog: StateCatalog, wanted: Wanted): Promise<(State | undefined)[] | undefined> {
    const states: (State | undefined)[] = []
    for (const asOf of inOrder(wanted)) {
      const found = await this.#one(catalog, asOf, states.at(-1))
      if (found === undefined) return undefined
      states.push(found.state)
    }
    return states
  }

  async #one(catalog: StateCatalog, asOf: AsOf, within: State | undefined) {
    const name = nameOf(catalog, asOf, within)
    if (this.#known.has(name)) return { state: this.#known.get(name) }
    const offsets = offsetsText(asOf)
    const isIt = (one: State) =>
      isWhole(one) && one.offsets === offsets && (within === undefined || catalog.chainOf(one).includes(within.state))
    // Of several the same one every time, whatever order they were recorded in.
    const among = async () => (await catalog.all()).filter(isIt).sort((a, b) => a.state - b.state)[0]
    let state = await among()
    if (state === undefined) {
      // Another process may have made it since.
      await catalog.refresh()
      state = await among()
    }
    return state && { state }
  }

  /** The build at work on this table, or else one of what is wanted. */
  #job(catalog: StateCatalog, wanted: Wanted): Job {
    const running = this.#jobs.get(catalog.draw)
    if (running !== undefined) return running
    const build = async (): Promise<State | undefined> => {
      let within: State | undefined
      for (const asOf of inOrder(wanted)) {
        const found = await this.#one(catalog, asOf, within)
        const state = found
          ? found.state
          : await new StateBuild(this.#sql, catalog, this.#rowsPerStep).run(asOf, within, (preparing) => {
              job.preparing = preparing
            })
        this.#remember(nameOf(catalog, asOf, within), state)
        within = state
      }
      return within
    }
    const done = build().then((state) => {
      this.#jobs.delete(catalog.draw)
      return state
    })
    const job: Job = { done, preparing: { done: 0, total: 0 } }
    // Nobody may be waiting now.
    job.done.catch(() => {})
    this.#jobs.set(catalog.draw, job)
    return job
  }

  /** A build that failed is told to one who asks, also if that is later; who asks after that has it built again. */
  async #outcome(catalog: StateCatalog, job: Job): Promise<void> {
    try {
      await job.done
    } catch (error) {
      if (this.#jobs.get(catalog.draw) === job) this.#jobs.delete(catalog.draw)
      throw error
    }
  }

  #remember(name: string, state: State | undefined): void {
    this.#known.set(name, state)
    if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value!)
  }
}

const inOrder = ({ earlier = [], ...asOf }: Wanted): AsOf[] =>
  [...earlier, asOf].map(({ labelOffsets }) => ({ ...asOf, labelOffsets }))

const nameOf = ({ draw }: StateCatalog, asOf: AsOf, within: State | undefined): string =>
  `${draw}/${within?.state ?? 0}/${offsetsText(asOf)}`

async function sortedState(
  catalog: StateCatalog,
  { earlier = [], scored = [] }: Wanted,
  found: readonly (State | undefined)[],
): Promise<SortedState> {
  const chains = found.map((state) => (state === undefined ? [] : catalog.chainOf(state)))
  const states = chains.at(-1)!
  const last = found.at(-1)
  if (last !== undefined) await catalog.requireRows()
  const after = earlier.map(({ round }, i): [number, number[]] => {
    const before = new Set(chains[i])
    return [round, states.filter((state) => !before.has(state))]
  })
  return {
    ...{ table: catalog.table, states, scored, after: new Map(after) },
    cells: last === undefined ? [] : await catalog.cellsOf(last),
  }
}
