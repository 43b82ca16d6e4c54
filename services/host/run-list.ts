import { Run, topics } from '../../schemas/index.ts'
import { plainName, recordedConfig, unreadableRun } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import type { WinnowError } from '../runtime/errors.ts'
import { Exclusive } from '../runtime/exclusive.ts'
import type { IncomingRecord } from '../runtime/kafka/port.ts'
import type { Service } from '../runtime/service.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec' | 'log'>

/** The recorded runs: the fold of `winnow.runs`. The last record of a name counts, and a deletion removes it. */
export class RunList {
  /** By name, in the order in which they were first recorded. Their configurations can be read. */
  readonly runs = new Map<string, Run>()
  /** Why a run cannot be read here, by name: it is of another version of winnow. */
  readonly unreadable = new Map<string, WinnowError>()
  /** Where to continue reading, by partition. */
  readonly next: number[] = []
  readonly #codec: Ports['codec']

  constructor(codec: Ports['codec']) {
    this.#codec = codec
  }

  /** Reads all that is recorded now. */
  static async read({ kafka, codec }: Pick<Ports, 'kafka' | 'codec'>): Promise<RunList> {
    const list = new RunList(codec)
    for await (const records of kafka.read(topics.runs.name)) for (const record of records) await list.apply(record)
    return list
  }

  /** @returns false if it is not a record of a run: then what was recorded of it before stays */
  async apply({ partition, offset, key, value }: IncomingRecord): Promise<boolean> {
    this.next[partition] = offset + 1
    const name = `${key ?? ''}`
    if (value === null) {
      this.runs.delete(name)
      this.unreadable.delete(name)
      return true
    }
    const record = await readable(() => this.#codec.decodeAs(Run, value))
    if (record !== undefined) this.#set(record)
    else if (plainName.test(name) && !this.runs.has(name)) this.unreadable.set(name, unreadableRun(name, 'its record'))
    return record !== undefined
  }

  #set(record: Run): void {
    try {
      recordedConfig(record)
      this.runs.set(record.run, record)
      this.unreadable.delete(record.run)
    } catch (error) {
      this.runs.delete(record.run)
      this.unreadable.set(record.run, error as WinnowError)
    }
  }
}

/**
 * Calls `onRuns` with all readable runs as recorded now, and again after each change; one call at a time, skipping states in between. @param who begins
 * the name of its consumer group
 */
export async function followRuns(
  runtime: Ports,
  who: string,
  onRuns: (runs: ReadonlyMap<string, Run>) => Promise<void>,
  onFailure: (error: unknown) => void,
): Promise<Service> {
  const { kafka, log } = runtime
  const list = await RunList.read(runtime)
  const exclusive = new Exclusive()
  const told = new Set<string>()
  const tell = () => {
    for (const [run, { message, hint }] of list.unreadable) {
      if (!told.has(run)) log.error({ run }, `${message}. ${hint}`)
      told.add(run)
    }
    return exclusive.run(() => onRuns(list.runs))
  }
  tell().catch(onFailure)
  const consumer = await kafka.consume({
    groupId: ephemeralGroup(groupNamed(who)),
    topics: [topics.runs.name],
    startOffset: (_topic, partition) => list.next[partition] ?? 0,
    onBatch: async (records) => {
      for (const record of records) {
        if (await list.apply(record)) continue
        const { topic, partition, offset } = record
        log.error({ topic, partition, offset }, 'no run: passed over')
      }
      await tell()
    },
    onFailure,
  })
  return {
    name: who,
    close: async () => {
      await consumer.close()
      await exclusive.idle()
    },
  }
}
