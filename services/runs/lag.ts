import { decontaminationStation, labelerStation, labelSinkStation, shownStations } from '../../topologies/dataflow.ts'
import type { StationKind, StationNode } from '../../topologies/node.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { consumerGroupOf, type GroupOwner, isOfGroup } from '../runtime/consumer-groups.ts'
import type { ConsumerGroup, Kafka } from '../runtime/kafka/port.ts'
import { type Lag, LagMeter, sumOf } from '../runtime/lag.ts'

/** What a station has not yet read of a topic. */
export interface StationLag extends Lag {
  /** null: a station of the corpus, shared by all runs. */
  readonly run: string | null
  readonly station: string
  readonly topic: string
}

export interface Watched {
  readonly runs: readonly RunConfig[]
  /** Configured versions of labelers, by actor, besides those that runs use. */
  readonly labelers?: ReadonlyMap<string, string>
  /** The version of the recorded evaluation sets; left out: there are none. */
  readonly evalSets?: string | undefined
}

export interface Reader {
  readonly kind: StationKind['kind']
  readonly run: string | null
  readonly station: string
  readonly reads: readonly string[]
  /** The group's name, or its beginning if each instance is in an ephemeral group. */
  readonly group: string
}

/** How far behind all stations are, console, actors and trainers included, and how old the oldest waiting record is. */
export class StationLags {
  readonly #kafka: Pick<Kafka, 'consumerGroups'>
  readonly #meter: LagMeter

  constructor(kafka: Pick<Kafka, 'committedOffsets' | 'consumerGroups' | 'writtenAt'>) {
    this.#kafka = kafka
    this.#meter = new LagMeter(kafka)
  }

  /**
   * A station whose groups have committed nothing is left out: it has never run, or keeps its offsets elsewhere.
   * @param ends the next offset of each partition, by topic; stations' other topics are left out
   * @param groups those that have members; omitted: asked for
   */
  async measure(
    watched: Watched,
    ends: ReadonlyMap<string, readonly number[]>,
    groups?: readonly Pick<ConsumerGroup, 'groupId'>[],
  ): Promise<StationLag[]> {
    const live = (groups ?? (await this.#kafka.consumerGroups('winnow.'))).map(({ groupId }) => groupId)
    const questions = readersOf(watched).flatMap((reader) => {
      // A group without members still has its committed offsets.
      const own = new Set([reader.group, ...live.filter((id) => isOfGroup(id, reader.group))])
      return reader.reads.flatMap((topic) => {
        const topicEnds = ends.get(topic)
        return topicEnds === undefined ? [] : [...own].map((groupId) => ({ reader, groupId, topic, ends: topicEnds }))
      })
    })
    const lags = await this.#meter.measure(questions)
    const found = questions.flatMap(({ reader, topic }, i) =>
      lags[i] === undefined ? [] : [{ reader, topic, lag: lags[i] }],
    )
    return [...Map.groupBy(found, ({ reader, topic }) => `${reader.group} ${topic}`).values()].map((instances) => {
      // Of several instances that each read everything, the one furthest behind.
      const { reader, topic, lag } = instances.reduce((a, b) => (behind(b.lag) > behind(a.lag) ? b : a))
      return { run: reader.run, station: reader.station, topic, ...lag }
    })
  }
}

const behind = ({ partitions }: Lag): number => sumOf(partitions)

const ofCorpus: ReadonlySet<StationKind['kind']> = new Set(['ingest', 'labeler', 'label-sink', 'decontamination'])

/** Stations with their groups; those of the corpus, which all runs share, once. */
export function readersOf({ runs, labelers = new Map(), evalSets }: Watched): Reader[] {
  const readers = new Map<string, Reader>()
  const add = (station: StationNode, owner: GroupOwner) => {
    const group = consumerGroupOf(station, owner)
    // A sink reads the labels of the actors of any run.
    const reads = [...new Set([...(readers.get(group)?.reads ?? []), ...station.reads])]
    readers.set(group, {
      kind: station.kind,
      run: ofCorpus.has(station.kind) ? null : (owner.run ?? null),
      station: station.name,
      reads,
      group,
    })
  }
  const actors = [...labelers.keys()]
  const configured = { versions: Object.fromEntries(labelers) }
  for (const actor of actors) add(labelerStation(actor), configured)
  if (actors.length > 0) add(labelSinkStation(actors), configured)
  const ofSets = evalSets === undefined ? {} : { 'eval-sets': evalSets }
  if (evalSets !== undefined) add(decontaminationStation, { versions: ofSets })
  for (const run of runs) {
    const owner = { run: run.name, versions: { ...run.labelers, ...ofSets } }
    for (const station of shownStations(run, { evalSets: evalSets !== undefined })) add(station, owner)
  }
  return [...readers.values()]
}
