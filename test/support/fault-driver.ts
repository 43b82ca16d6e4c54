import type { CorpusStore } from '../../topologies/corpus-store.ts'
import type { Ports, RunningStation, Station } from '../../topologies/dataflow.ts'
import { WinnowError } from '../../topologies/errors.ts'
import type { Delivered, Outgoing, Output, Send } from '../../topologies/node.ts'
import { FaultLog, Transaction } from './fault-log.ts'
import type { Seeded } from './seeded.ts'

/** How likely each fault is at each chance it has. All 0: an undisturbed run in a random interleaving. */
export interface Faults {
  /** A call to the outside fails without effect, and the station tries its batch again. */
  readonly lost: number
  /** A call to the outside takes effect, in part or whole, and the station is told that it failed. */
  readonly unknown: number
  /** A station dies before or after a call to the outside. */
  readonly crash: number
  /** Of dead stations those that do not know it yet and go on with what they were doing. */
  readonly zombie: number
  /** A transaction of a dead station leaves its first records behind, which Kafka does not do. */
  readonly torn: number
  /** A partition is read again from an earlier place. */
  readonly rewind: number
  /** An old batch is given to a station again, whatever it has seen since. */
  readonly replay: number
  /** Partitions of a shared station move to another of its instances, also while the one before works on them. */
  readonly rebalance: number
  /** The clock jumps by up to two hours, either way. */
  readonly clock: number
}

export const noFaults: Faults = {
  lost: 0,
  unknown: 0,
  crash: 0,
  zombie: 0,
  torn: 0,
  rewind: 0,
  replay: 0,
  rebalance: 0,
  clock: 0,
}

interface Instance {
  readonly name: string
  readonly epoch: number
  readonly running: RunningStation
  alive: boolean
  busy: boolean
  transactions: Transaction[]
  /** Refused and not yet written. */
  letters: Rejected[]
}

interface Rejected {
  readonly station: string
  readonly delivered: Delivered
  readonly reason: string
}

/** Where a group is in a partition, and which of its seats reads it. A commit of an earlier generation is refused. */
interface Position {
  readonly topic: string
  readonly partition: number
  next: number
  seat: number
  generation: number
}

/** A place for one instance of a station. Instances of a shared station have the positions of their group in common. */
interface Place {
  readonly station: Station
  readonly seat: number
  readonly positions: Map<string, Position>
  instance: Instance | undefined
  epoch: number
}

export interface FaultPorts {
  /** The ports of one instance: every call out of a station passes `call`, where faults happen. */
  ports(call: Call): Ports
}

/** Runs an effect on the outside at a time of the scheduler's choosing, or does not. `partly` is what a broken call leaves behind. */
export type Call = <T>(effect: () => Promise<T> | T, partly?: () => Promise<unknown> | unknown) => Promise<T>

/**
 * Runs stations under a seeded scheduler: every await of a station on the outside is a point where any other station may go on first, or
 * where it dies. Deterministic: nothing but the seed decides. The broker is a FaultLog, with transactions, markers and fencing.
 */
export class FaultDriver {
  readonly log: FaultLog
  /** Dead letters that were written; one may be there twice. */
  readonly rejected: Rejected[] = []
  readonly counts: Record<keyof Faults, number> = { ...noFaults }
  nowMs = 1_700_000_000_000
  faults: Faults = noFaults
  steps = 0
  readonly #random: Seeded
  readonly #fault: FaultPorts
  readonly #places: Place[] = []
  #waiting: { instance: Instance; resume: () => void }[] = []
  #failure: unknown

  constructor(random: Seeded, partitions: (topic: string) => number, ports: FaultPorts) {
    this.#random = random
    this.#fault = ports
    this.log = new FaultLog(partitions)
  }

  add(stations: readonly Station[]): void {
    for (const station of stations) {
      const positions = new Map<string, Position>()
      for (let seat = 0; seat < this.#seatsOf(station); seat++) {
        const place: Place = { station, seat, positions, instance: undefined, epoch: 0 }
        this.#places.push(place)
        this.#start(place)
      }
    }
  }

  /** One that keeps its own offsets reads every partition; the others share them, as two members of a group. */
  #seatsOf({ kind }: Station): number {
    return kind === 'console' || kind === 'actor' ? 1 : 2
  }

  append(records: readonly Outgoing[]): void {
    this.log.append(records)
  }

  /** One action of the scheduler's choice. @returns false where nothing is left to do */
  async step(): Promise<boolean> {
    this.steps++
    this.nowMs += this.#random.below(50)
    this.#disturb()
    const actions = this.#actions()
    if (actions.length === 0) return false
    this.#random.pick(actions)()
    await allThatFollows()
    if (this.#failure !== undefined) throw this.#failure
    return true
  }

  /** Until nothing is left to do. */
  async settle(stepsMax = 20_000): Promise<void> {
    for (let i = 0; i < stepsMax; i++) if (!(await this.step())) return
    throw new Error(`no end of it after ${stepsMax} steps`)
  }

  /** Lets time act: stations that have `tick` are called. */
  async tick(): Promise<void> {
    for (const place of this.#places) {
      const instance = place.instance
      if (instance?.running.tick !== undefined && !instance.busy)
        this.#work(instance, async () => {
          await instance.running.tick!()
          await this.#bury(instance)
        })
    }
    await allThatFollows()
  }

  #actions(): (() => void)[] {
    const actions: (() => void)[] = this.#waiting.map((waiting) => () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting)
      waiting.resume()
    })
    for (const marker of this.log.markersPending) actions.push(() => this.log.landMarker(marker))
    for (const place of this.#places) {
      const { instance } = place
      if (instance === undefined) actions.push(() => this.#start(place))
      else if (!instance.busy) actions.push(...this.#deliveries(place, instance))
    }
    return actions
  }

  #deliveries(place: Place, instance: Instance): (() => void)[] {
    return [...place.positions.values()].flatMap((position) => {
      if (position.seat !== place.seat) return []
      const { records, next } = this.log.read(position.topic, position.partition, position.next)
      if (next === position.next) return []
      if (records.length === 0) {
        position.next = next
        return []
      }
      return [() => this.#deliver(instance, position, records, next)]
    })
  }

  #deliver(instance: Instance, position: Position, records: Delivered[], next: number): void {
    const count = this.#random.chance(0.5) ? records.length : 1 + this.#random.below(records.length)
    const end = count === records.length ? next : records[count - 1]!.offset + 1
    const { generation } = position
    this.#work(instance, async () => {
      await instance.running.process(records.slice(0, count))
      await this.#bury(instance)
      if (instance.alive && position.generation === generation) position.next = end
    })
  }

  /** Faults that need no call of a station. */
  #disturb(): void {
    const place = this.#random.pick(this.#places)
    if (this.#happens('clock')) this.nowMs += (this.#random.next() - 0.5) * 4 * 3600_000
    if (this.#happens('crash') && place.instance !== undefined) this.#kill(place.instance)
    if (this.#happens('rewind')) {
      const position = this.#random.pick([...place.positions.values()])
      if (place.instance?.busy !== true) position.next = this.#random.below(position.next + 1)
    }
    if (this.#happens('rebalance')) {
      const seats = this.#places.filter(({ positions }) => positions === place.positions).length
      for (const position of place.positions.values()) {
        position.seat = this.#random.below(seats)
        position.generation++
      }
    }
    if (this.#happens('replay') && place.instance !== undefined && !place.instance.busy) {
      const { instance, positions } = place
      const { topic, partition, next } = this.#random.pick([...positions.values()])
      const old = this.log.read(topic, partition, 0).records.filter(({ offset }) => offset < next)
      const first = this.#random.below(old.length + 1)
      const batch = old.slice(first, first + 1 + this.#random.below(5))
      if (batch.length > 0) {
        this.#work(instance, async () => {
          await instance.running.process(batch)
          await this.#bury(instance)
        })
      }
    }
  }

  #happens(fault: keyof Faults): boolean {
    if (!this.#random.chance(this.faults[fault])) return false
    this.counts[fault]++
    return true
  }

  /** What runStation does: again where a retry may help; a fenced instance ends. */
  #work(instance: Instance, work: () => Promise<unknown>): void {
    instance.busy = true
    const attempt = async (): Promise<void> => {
      for (;;) {
        try {
          instance.letters = []
          await work()
          instance.busy = false
          return
        } catch (error) {
          if (error instanceof WinnowError && error.code === 'FENCED' && !instance.alive) return
          if (!(error instanceof WinnowError && error.retriable)) {
            this.#failure ??= error
            return
          }
        }
      }
    }
    void attempt()
  }

  #kill(instance: Instance, mayLinger = true): void {
    const place = this.#places.find((one) => one.instance === instance)
    if (place === undefined) return
    place.instance = undefined
    instance.alive = false
    if (mayLinger && this.#happens('zombie')) return
    this.#waiting = this.#waiting.filter((waiting) => waiting.instance !== instance)
    for (const transaction of instance.transactions) {
      if (transaction.state === 'open' && this.#happens('torn')) this.log.tear(transaction, this.#random)
    }
  }

  /** As a process starts: fences and finishes its predecessor's transactions, reads its memory, asks it where to read on. */
  #start(place: Place): void {
    const { station } = place
    place.epoch++
    const instance: Instance = {
      name: station.name,
      epoch: place.epoch,
      alive: true,
      busy: false,
      transactions: [],
      letters: [],
      running: undefined as never,
    }
    this.#finishTransactions(place)
    const call: Call = (effect, partly) => this.#call(instance, effect, partly)
    const running = station.build(this.#fault.ports(call), this.#output(place, instance))
    Object.assign(instance, { running })
    running.restore?.(station.restoreFrom.flatMap((topic) => this.log.records(topic)))
    for (const topic of station.reads) {
      for (let partition = 0; partition < this.log.partitionsOf(topic); partition++) {
        const name = `${topic}[${partition}]`
        const known = place.positions.get(name) ?? { topic, partition, next: 0, seat: 0, generation: 0 }
        const next = running.startOffset?.(topic, partition) ?? known.next
        place.positions.set(name, { ...known, next })
      }
    }
    place.instance = instance
    this.#work(instance, async () => running.start?.())
  }

  readonly #transactionsOf = new Map<string, Transaction[]>()

  /** A new producer with a transactional id waits until what the one before it left is decided and marked. */
  #finishTransactions({ station: { name } }: Place): void {
    for (const transaction of this.#transactionsOf.get(name) ?? []) {
      if (transaction.state === 'open') this.log.decide(transaction, 'aborted')
    }
    const own = new Set(this.#transactionsOf.get(name))
    for (const marker of this.log.markersPending) if (own.has(marker.transaction)) this.log.landMarker(marker)
    this.#transactionsOf.set(name, [])
  }

  async #call<T>(instance: Instance, effect: () => Promise<T> | T, partly = effect as () => unknown): Promise<T> {
    await new Promise<void>((resume) => this.#waiting.push({ instance, resume }))
    if (this.#happens('lost')) throw unreachable()
    if (this.#happens('crash')) {
      if (this.#random.chance(0.5)) await effect()
      this.#kill(instance, false)
      return new Promise<never>(() => {})
    }
    if (this.#happens('unknown')) {
      await partly()
      throw unreachable()
    }
    return effect()
  }

  /** Writes dead letters, as runStation does: after a batch, and before a transaction. */
  async #bury(instance: Instance): Promise<void> {
    const { letters } = instance
    if (letters.length === 0) return
    await this.#call(instance, () => this.rejected.push(...letters))
    instance.letters = []
  }

  #output(place: Place, instance: Instance): Output {
    const deadLetter = (delivered: Delivered, reason: string) =>
      void instance.letters.push({ station: instance.name, delivered, reason })
    if (!place.station.exclusive) {
      const send: Send = (records) =>
        this.#call(
          instance,
          () => this.log.append(records),
          () => this.log.append(records.slice(0, this.#random.below(records.length + 1))),
        )
      return { send, deadLetter, transaction: () => Promise.reject(new TypeError('this station has no transactions')) }
    }
    const transaction = async <T>(work: (send: Send) => Promise<T>): Promise<T> => {
      const fenced = () => {
        if (place.epoch !== instance.epoch) throw new WinnowError('FENCED', `${instance.name} was replaced`)
      }
      await this.#bury(instance)
      await this.#call(instance, () => {
        fenced()
        this.#finishTransactions(place)
      })
      const own = new Transaction()
      this.#transactionsOf.get(instance.name)!.push(own)
      instance.transactions = [own]
      const result = await work((records) =>
        this.#call(instance, () => {
          fenced()
          return this.log.append(records, own)
        }),
      )
      await this.#call(instance, () => {
        fenced()
        if (own.state === 'open') this.log.decide(own, 'committed')
      })
      return result
    }
    return { send: (records) => transaction((send) => send(records)), transaction, deadLetter }
  }
}

/** What needs nothing of the outside has happened: stations await nothing else. */
const allThatFollows = () => new Promise((resolve) => setImmediate(resolve))

const unreachable = () => new WinnowError('UNREACHABLE', 'a simulated failure')

/** A store whose every call may fail, take effect in part, or be the last thing its caller does. */
export function faultyStore(store: CorpusStore, call: Call, random: Seeded): CorpusStore {
  const part = <T>(all: readonly T[]) => all.slice(0, random.below(all.length + 1))
  return {
    addDocuments: (documents) =>
      call(
        () => store.addDocuments(documents),
        () => store.addDocuments(part(documents)),
      ),
    addLabels: (labels) =>
      call(
        () => store.addLabels(labels),
        () => store.addLabels(part([...labels])),
      ),
    addExclusions: (exclusions) =>
      call(
        () => store.addExclusions(exclusions),
        () => store.addExclusions(part(exclusions)),
      ),
    addSketches: (sketches) =>
      call(
        () => store.addSketches(sketches),
        () => store.addSketches(part(sketches)),
      ),
    crowdedOut: (options) => call(() => store.crowdedOut(options)),
    sketched: (...given) => call(() => store.sketched(...given)),
    commit: (offsets) => call(() => store.commit(offsets)),
    committed: () => call(() => store.committed()),
    prepare: (options) => call(() => store.prepare(options)),
    preparing: (options) => call(() => store.preparing(options)),
    view: (options) => call(() => store.view(options)),
    texts: (ids) => call(() => store.texts(ids)),
    readRounds: (...given) => call(() => store.readRounds(...given)),
    addReadSelection: (...given) => call(() => store.addReadSelection(...given)),
    addReads: (run, round, reads) => call(() => {}).then(() => store.addReads(run, round, reads)),
  }
}
