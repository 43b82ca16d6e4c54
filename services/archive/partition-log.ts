import type { IncomingRecord } from '../runtime/kafka/port.ts'
import { type ArchivedRecord, ContainerWriter, readContainer } from './container.ts'

/** A container with the records of a partition from an offset on, and those of its blocks that have been read. */
interface Segment {
  readonly path: string
  /** Records before this offset are in it. */
  to: number
  readonly blocks: { readonly offset: number; readonly position: number }[]
}

/** A partition in files: those of an archive, which do not change, and then a file for what is appended to it here. */
export class PartitionLog {
  /** The offset after the last record. */
  end: number
  readonly #topic: string
  readonly #partition: number
  readonly #segments: Segment[]
  #appending: ContainerWriter | undefined

  /** @param files of the archive, in order of offsets */
  constructor(topic: string, partition: number, end: number, files: readonly { path: string; to: number }[]) {
    this.#topic = topic
    this.#partition = partition
    this.end = end
    this.#segments = files.map(({ path, to }) => ({ path, to, blocks: [] }))
  }

  /** The records from an offset up to the end as it is now, a block at a time. */
  async *read(from: number): AsyncGenerator<readonly IncomingRecord[]> {
    const { end } = this
    for (const segment of [...this.#segments]) {
      if (segment.to <= from) continue
      for await (const records of blocksOf(segment, from)) {
        const wanted = records.filter(({ offset }) => offset >= from && offset < end)
        if (wanted.length > 0) yield wanted.map((record) => this.#incoming(record))
      }
    }
  }

  #incoming({ writtenMs, ...record }: ArchivedRecord): IncomingRecord {
    const place = { topic: this.#topic, partition: this.#partition }
    return { ...place, ...record, ...(writtenMs !== null && { writtenMs }) }
  }

  /** @param path where to, if nothing has been appended yet. @returns the offset of the first */
  async append(path: string, records: readonly Omit<ArchivedRecord, 'offset'>[]): Promise<number> {
    const first = this.end
    if (this.#appending === undefined) {
      this.#appending = await ContainerWriter.create(path, {})
      this.#segments.push({ path, to: first, blocks: [] })
    }
    for (const [i, record] of records.entries()) await this.#appending.add({ ...record, offset: first + i })
    await this.#appending.flush()
    this.end = first + records.length
    this.#segments.at(-1)!.to = this.end
    return first
  }

  async close(): Promise<void> {
    await this.#appending?.close()
  }
}

async function* blocksOf({ path, blocks }: Segment, from: number): AsyncGenerator<readonly ArchivedRecord[]> {
  const known = blocks.findLast(({ offset }) => offset <= from)
  for await (const { position, records } of readContainer(path, known?.position)) {
    const { offset } = records[0]!
    if (offset > (blocks.at(-1)?.offset ?? -1)) blocks.push({ offset, position })
    yield records
  }
}
