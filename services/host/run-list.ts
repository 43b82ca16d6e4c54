import { Run, topics } from '../../schemas/index.ts'
import type { Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import { Exclusive } from '../runtime/exclusive.ts'
import type { IncomingRecord } from '../runtime/kafka/port.ts'
import type { Service } from '../runtime/service.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec' | 'log'>

/** The recorded runs: the fold of `winnow.runs`. The last record of a name counts, and a deletion removes it. */
export class RunList {
  /** By name, in the order in which they were first recorded. */
  readonly runs = new Map<string, Run>()
  /** Where to continue reading, by partition. */
  readonly next: number[] = []
  readonly #codec: Ports['codec']

  constructor(codec: Ports['codec']) {
    this.#codec = codec
  }

  /** Reads all that is recorded now; invalid records are skipped. */
  static async read({ kafka, codec }: Pick<Ports, 'kafka' | 'codec'>): Promise<RunList> {
    const list = new RunList(codec)
    for await (const records of kafka.read(topics.runs.name)) for (const record of records) await list.apply(record)
    return list
  }

  /** @returns false if it is not a record of a run */
  async apply({ partition, offset, key, value }: IncomingRecord): Promise<boolean> {
    this.next[partition] = offset + 1
    if (value === null) {
      if (key !== null) this.runs.delete(key.toString())
      return true
    }
    const run = await readable(() => this.#codec.decodeAs(Run, value))
    if (run !== undefined) this.runs.set(run.run, run)
    return run !== undefined
  }
}

/**
 * Calls `onRuns` with all runs as recorded now, and again after each change; one call at a time, skipping states in between. @param who begins
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
  const tell = () => exclusive.run(() => onRuns(list.runs))
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
