import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '../runtime/make-folder.ts'
import { syncFolder } from '../runtime/write-whole.ts'
import { type ArchivedRecord, ContainerWriter } from './container.ts'
import { folderOf, rangeOf, segmentName } from './format.ts'

/** A file that is being written: it gets its name when it is complete, so that a kill leaves only whole ones of that form. */
const unfinished = 'unfinished'

/** The complete files of an archive's partition, in order of offsets. */
export function segmentsIn(archive: string, topic: string, partition: number) {
  const folder = folderOf(topic, partition)
  if (!existsSync(join(archive, folder))) return []
  return readdirSync(join(archive, folder))
    .sort()
    .flatMap((name) => {
      const range = rangeOf(name)
      return range === undefined ? [] : [{ path: `${folder}/${name}`, topic, partition, ...range }]
    })
}

/** Writes the records of a partition into files that each hold about as many bytes as are asked for, and goes on where an earlier one was killed. */
export class PartitionWriter {
  /** The next offset that it has not got. */
  from: number
  readonly #folder: string
  readonly #name: { readonly topic: string; readonly partition: string }
  readonly #segmentBytes: number
  #segment: ContainerWriter | undefined
  /** Where the file being written begins. */
  #segmentFrom: number

  constructor(archive: string, topic: string, partition: number, segmentBytes: number) {
    this.#folder = join(archive, folderOf(topic, partition))
    this.#name = { topic, partition: `${partition}` }
    this.#segmentBytes = segmentBytes
    makeFolder(this.#folder)
    rmSync(join(this.#folder, unfinished), { force: true })
    this.from = segmentsIn(archive, topic, partition).at(-1)?.to ?? 0
    this.#segmentFrom = this.from
  }

  async add(record: ArchivedRecord): Promise<void> {
    this.#segment ??= await ContainerWriter.create(join(this.#folder, unfinished), {
      'winnow.topic': this.#name.topic,
      'winnow.partition': this.#name.partition,
    })
    await this.#segment.add(record)
    this.from = record.offset + 1
    if (this.#segment.bytes >= this.#segmentBytes) await this.#complete()
  }

  /** @param to the offset up to which there is nothing more to add */
  async close(to: number): Promise<void> {
    this.from = Math.max(this.from, to)
    await this.#complete()
  }

  /** Leaves what is not complete to the next writer. */
  async abandon(): Promise<void> {
    await this.#segment?.close()
    this.#segment = undefined
  }

  async #complete(): Promise<void> {
    if (this.#segment === undefined) return
    await this.#segment.close()
    this.#segment = undefined
    renameSync(join(this.#folder, unfinished), join(this.#folder, segmentName(this.#segmentFrom, this.from)))
    await syncFolder(this.#folder)
    this.#segmentFrom = this.from
  }
}
